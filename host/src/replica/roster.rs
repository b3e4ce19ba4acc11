//! Who belongs to a group, and on which hosts. Part of the group's state, so every snapshot says whose it is.
//!
//! A replica's number is never used again: a host that lost its disk comes back under a new one, since what it promised under the old one is gone.

use super::bytes::{Reader, Unreadable, Writer};
use super::wit::Members;
use crate::config::HostName;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

const FORMAT: u8 = 2;
/// In the place of a number: the host's replicas are removed, and it does not join again by itself.
pub const KEPT_OUT: u64 = 0;
/// Members of a group, at most, those that come and go included. The configuration allows 7 replicas.
pub const MEMBERS_MAX: usize = 64;

/// The members of a group and their hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    /// Who votes, and who only listens.
    pub members: Members,
    /// The host of each member.
    pub hosts: BTreeMap<u64, HostName>,
    /// The number of the next replica that is added.
    pub next_id: u64,
    /// Hosts whose replicas were removed by an operator: they do not join again by themselves.
    pub kept_out: BTreeSet<HostName>,
}

impl Roster {
    /// Nobody: what a replica knows that is to be added to a group.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            members: Members {
                voters: Vec::new(),
                learners: Vec::new(),
                outgoing: Vec::new(),
                learners_next: Vec::new(),
                auto_leave: false,
            },
            hosts: BTreeMap::new(),
            next_id: 1,
            kept_out: BTreeSet::new(),
        }
    }

    /// The first members of a group: one on each host, numbered from 1 in their order.
    #[must_use]
    pub fn first<'a>(hosts: impl IntoIterator<Item = &'a HostName>) -> Self {
        Self::from_number(1, hosts)
    }

    /// The same with other numbers.
    #[must_use]
    pub fn from_number<'a>(first: u64, hosts: impl IntoIterator<Item = &'a HostName>) -> Self {
        let mut roster = Self::empty();
        roster.next_id = first;
        for host in hosts {
            roster.members.voters.push(roster.next_id);
            roster.hosts.insert(roster.next_id, host.clone());
            roster.next_id += 1;
        }
        roster
    }

    /// The number of a host's replica; of several the newest.
    #[must_use]
    pub fn id_of(&self, host: &HostName) -> Option<u64> {
        let mut hosts = self.hosts.iter().rev();
        hosts.find(|(_, known)| *known == host).map(|(id, _)| *id)
    }

    /// Whether `id` is a member, of whatever kind.
    #[must_use]
    pub fn has(&self, id: u64) -> bool {
        self.all().any(|member| member == id)
    }

    /// Whether `id` was a member, and is none any more. Of a number that this roster does not know yet nothing can be said.
    #[must_use]
    pub fn has_lost(&self, id: u64) -> bool {
        id < self.next_id && !self.has(id) && !self.hosts.is_empty()
    }

    /// Whether `id` is the only one whose agreement counts.
    #[must_use]
    pub fn is_alone(&self, id: u64) -> bool {
        self.members.voters == [id] && self.members.outgoing.is_empty()
    }

    /// Whether two majorities count, because the membership is changing.
    #[must_use]
    pub fn is_joint(&self) -> bool {
        !self.members.outgoing.is_empty()
    }

    fn all(&self) -> impl Iterator<Item = u64> + '_ {
        let Members {
            voters,
            learners,
            outgoing,
            learners_next,
            auto_leave: _,
        } = &self.members;
        let lists = [voters, learners, outgoing, learners_next];
        lists.into_iter().flatten().copied()
    }

    /// Takes a change in: the new members, and the hosts of those that were added.
    ///
    /// # Errors
    /// [`Unreadable`]: `added` is not what [`added`] made.
    pub fn change(&mut self, members: Members, added: Bytes) -> Result<(), Unreadable> {
        let mut reader = Reader::new(added);
        while !reader.is_at_end() {
            let (id, host) = read_host(&mut reader)?;
            if id == KEPT_OUT {
                self.kept_out.insert(host);
                continue;
            }
            self.kept_out.remove(&host);
            self.next_id = self.next_id.max(id + 1);
            self.hosts.insert(id, host);
        }
        self.members = members;
        let here: Vec<u64> = self.all().collect();
        self.hosts.retain(|id, _| here.contains(id));
        Ok(())
    }

    /// As it is kept.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut writer = Writer::with_capacity(64);
        writer.byte(FORMAT);
        let members = &self.members;
        for list in [
            &members.voters,
            &members.learners,
            &members.outgoing,
            &members.learners_next,
        ] {
            writer.number(list.len() as u64);
            for id in list {
                writer.number(*id);
            }
        }
        writer.byte(u8::from(members.auto_leave));
        writer.number(self.next_id);
        writer.number(self.hosts.len() as u64);
        for (id, host) in &self.hosts {
            write_host(&mut writer, *id, host);
        }
        writer.number(self.kept_out.len() as u64);
        for host in &self.kept_out {
            write_host(&mut writer, KEPT_OUT, host);
        }
        writer.finish()
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// [`Unreadable`]: something else did.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, Unreadable> {
        let mut reader = Reader::new(bytes);
        if reader.byte()? != FORMAT {
            return Err(Unreadable);
        }
        let mut list = || -> Result<Vec<u64>, Unreadable> {
            let count = read_count(&mut reader)?;
            (0..count).map(|_| reader.number()).collect()
        };
        let (voters, learners, outgoing, learners_next) = (list()?, list()?, list()?, list()?);
        let auto_leave = match reader.byte()? {
            0 => false,
            1 => true,
            _ => return Err(Unreadable),
        };
        let next_id = reader.number()?;
        let count = read_count(&mut reader)?;
        let hosts = (0..count).map(|_| read_host(&mut reader));
        let hosts = hosts.collect::<Result<_, _>>()?;
        let count = read_count(&mut reader)?;
        let kept_out = (0..count).map(|_| Ok(read_host(&mut reader)?.1));
        let kept_out = kept_out.collect::<Result<_, _>>()?;
        if !reader.is_at_end() {
            return Err(Unreadable);
        }
        Ok(Self {
            members: Members {
                voters,
                learners,
                outgoing,
                learners_next,
                auto_leave,
            },
            hosts,
            next_id,
            kept_out,
        })
    }
}

/// The hosts of members that are added, as they travel with the change; [`KEPT_OUT`] with a host that is to stay away.
#[must_use]
pub fn added<'a>(hosts: impl IntoIterator<Item = (u64, &'a HostName)>) -> Bytes {
    let mut writer = Writer::default();
    for (id, host) in hosts {
        write_host(&mut writer, id, host);
    }
    writer.finish()
}

fn write_host(writer: &mut Writer, id: u64, host: &HostName) {
    writer.number(id);
    writer.text(host.as_str());
}

fn read_count(reader: &mut Reader) -> Result<usize, Unreadable> {
    let count = usize::try_from(reader.number()?).map_err(|_| Unreadable)?;
    if count > MEMBERS_MAX {
        return Err(Unreadable);
    }
    Ok(count)
}

fn read_host(reader: &mut Reader) -> Result<(u64, HostName), Unreadable> {
    let id = reader.number()?;
    let name = reader.text()?;
    let name = std::str::from_utf8(&name).map_err(|_| Unreadable)?;
    Ok((id, name.parse().map_err(|_| Unreadable)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> HostName {
        name.parse().unwrap()
    }

    fn roster() -> Roster {
        Roster::first([&host("alpha"), &host("beta"), &host("gamma")])
    }

    #[test]
    fn a_roster_is_read_as_it_was_written_and_not_if_it_is_cut_short() {
        let mut roster = roster();
        roster.kept_out.insert(host("delta"));
        let bytes = roster.to_bytes();
        assert_eq!(Roster::from_bytes(bytes.clone()), Ok(roster));
        for length in 0..bytes.len() {
            assert_eq!(
                Roster::from_bytes(bytes.slice(..length)),
                Err(Unreadable),
                "{length}"
            );
        }
    }

    #[test]
    fn a_host_that_comes_back_without_its_disk_has_a_new_number() {
        let mut roster = roster();
        let new = roster.next_id;
        let mut members = roster.members.clone();
        members.learners.push(new);
        let beta = host("beta");
        roster.change(members, added([(new, &beta)])).unwrap();
        assert_eq!(roster.id_of(&beta), Some(4));
        let mut members = roster.members.clone();
        members.voters = vec![1, 3, 4];
        members.learners.clear();
        roster.change(members, Bytes::new()).unwrap();
        assert_eq!(roster.hosts.keys().copied().collect::<Vec<_>>(), [1, 3, 4]);
        assert_eq!(roster.next_id, 5);
    }

    #[test]
    fn a_host_that_was_removed_stays_out_until_it_is_added_again() {
        let (mut roster, beta) = (roster(), host("beta"));
        let mut members = roster.members.clone();
        members.voters = vec![1, 3];
        roster
            .change(members.clone(), added([(KEPT_OUT, &beta)]))
            .unwrap();
        assert!(roster.has_lost(2) && !roster.has_lost(3) && !roster.has_lost(4));
        assert!(roster.kept_out.contains(&beta));
        members.learners.push(4);
        roster.change(members, added([(4, &beta)])).unwrap();
        assert!(roster.kept_out.is_empty() && !roster.has_lost(4));
    }

    #[test]
    fn a_member_is_alone_only_if_no_other_majority_counts() {
        let mut roster = Roster::first([&host("alpha")]);
        assert!(roster.is_alone(1));
        roster.members.outgoing = vec![2];
        assert!(!roster.is_alone(1) && roster.is_joint());
    }
}
