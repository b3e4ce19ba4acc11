//! Whether messages go both ways between this host and another, from what becomes of the connections of each way.

/// The direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From this host.
    Out,
    /// To it.
    In,
}

/// What there is to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Both connections are there.
    Connected,
    /// One of them is not any more; that the other follows is no news.
    Lost,
}

/// What is known of one peer.
#[derive(Debug, Clone, Default)]
pub struct Presence {
    is_out_up: bool,
    is_in_up: bool,
    is_present: bool,
}

impl Presence {
    /// The connection of one way is there, or not.
    pub fn note(&mut self, way: Way, is_up: bool) -> Option<Change> {
        match way {
            Way::Out => self.is_out_up = is_up,
            Way::In => self.is_in_up = is_up,
        }
        let is_present = self.is_out_up && self.is_in_up;
        let was_present = std::mem::replace(&mut self.is_present, is_present);
        match (was_present, is_present) {
            (false, true) => Some(Change::Connected),
            (true, false) => Some(Change::Lost),
            (true, true) | (false, false) => None,
        }
    }

    /// Whether the connection of one way is there.
    pub fn is_up(&self, way: Way) -> bool {
        match way {
            Way::Out => self.is_out_up,
            Way::In => self.is_in_up,
        }
    }

    /// Whether both are there.
    pub fn is_present(&self) -> bool {
        self.is_present
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_lost_once_and_there_again_when_both_ways_are() {
        let mut presence = Presence::default();
        for (way, is_up, expected) in [
            (Way::Out, true, None),
            (Way::Out, false, None),
            (Way::In, true, None),
            (Way::Out, true, Some(Change::Connected)),
            (Way::In, false, Some(Change::Lost)),
            (Way::Out, false, None),
            (Way::Out, true, None),
            (Way::In, true, Some(Change::Connected)),
            (Way::In, true, None),
            (Way::Out, false, Some(Change::Lost)),
            (Way::Out, true, Some(Change::Connected)),
        ] {
            assert_eq!(presence.note(way, is_up), expected, "{way:?} {is_up}");
            assert_eq!(
                presence.is_present(),
                presence.is_up(Way::In) && presence.is_up(Way::Out)
            );
        }
    }
}
