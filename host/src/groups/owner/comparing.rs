//! Replicas that apply the same entries have the same state. One whose state has another hash than that of a majority, as of the same entry, is wrong: it says so, gives up
//! what it has, and begins anew as another replica. Each looks after itself, so nobody is told by one other that it is wrong.

use super::Owner;
use crate::config::HostName;
use crate::groups::hello::Told;
use std::collections::BTreeMap;
use std::time::Duration;

/// Entries of which hashes are kept. Replicas tell them within a second, under load some ten later.
const ENTRIES_MAX: usize = 64;

/// How long the hashes of all replicas take to be known, if they are there.
const UNCLEAR_TIME: Duration = Duration::from_secs(5);

/// What is known of the states of all replicas.
#[derive(Default)]
pub(super) struct Comparing {
    /// By entry, then by the number of the replica.
    hashes: BTreeMap<u64, BTreeMap<u64, String>>,
    /// The last entry of which it was said that replicas differ.
    said: u64,
    /// An entry of which they differ while no majority is known, and since when.
    unclear: Option<(u64, Duration)>,
}

/// What the hashes of one entry show.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Those that are known are equal.
    Equal,
    /// This replica differs from a majority.
    OwnDiffers,
    /// These do.
    OthersDiffer(Vec<u64>),
    /// They differ, and no majority agrees on anything.
    Unclear,
}

fn judge(hashes: &BTreeMap<u64, String>, own: u64, members: &[u64], voters: &[u64]) -> Verdict {
    let of_members = hashes.iter().filter(|(id, _)| members.contains(id));
    let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
    for (id, hash) in of_members.clone() {
        *votes.entry(hash).or_default() += usize::from(voters.contains(id));
    }
    if votes.len() < 2 {
        return Verdict::Equal;
    }
    let majority = votes.iter().find(|(_, count)| **count * 2 > voters.len());
    let Some((right, _)) = majority else {
        return Verdict::Unclear;
    };
    let wrong: Vec<u64> = of_members
        .filter(|(_, hash)| hash.as_str() != *right)
        .map(|(id, _)| *id)
        .collect();
    if wrong.contains(&own) {
        Verdict::OwnDiffers
    } else {
        Verdict::OthersDiffer(wrong)
    }
}

impl Owner {
    /// Another host has said something of its replica.
    pub(super) fn heard(&mut self, host: &HostName, told: Told) {
        if told.has_lost(self.member.id()) {
            self.leaves(&format!(
                "{host} shows that it is no member of the group any more"
            ));
            // Whom it leads may be no members either.
            self.was_asked_to_hand_over = true;
            return;
        }
        for (index, hash) in told.hashes {
            self.compare(index, told.id, hash);
        }
    }

    /// Its own state as of an entry has this hash.
    pub(super) fn hashed(&mut self, index: u64, hash: [u8; 32]) {
        let hash = hex::encode(hash);
        let short = hash[..hash.len() / 2].to_owned();
        self.parts.told.has_hash(&self.parts.name, index, &short);
        self.parts.compared.send_if_modified(|compared| {
            let is_newer = compared
                .hash
                .as_ref()
                .is_none_or(|(known, _)| *known <= index);
            if is_newer {
                compared.hash = Some((index, hash));
            }
            is_newer
        });
        self.compare(index, self.member.id(), short);
    }

    fn compare(&mut self, index: u64, id: u64, hash: String) {
        if self.is_leaving {
            return;
        }
        let known = self.comparing.hashes.entry(index).or_default();
        if known.get(&id) == Some(&hash) {
            return;
        }
        known.insert(id, hash);
        let roster = self.member.roster();
        let members: Vec<u64> = roster.hosts.keys().copied().collect();
        let own = self.member.id();
        let verdict = judge(known, own, &members, &roster.members.voters);
        let is_own_known = known.contains_key(&own);
        while self.comparing.hashes.len() > ENTRIES_MAX {
            self.comparing.hashes.pop_first();
        }
        if verdict != Verdict::Unclear {
            self.comparing.unclear = self.comparing.unclear.filter(|(other, _)| *other != index);
        }
        let name = &self.parts.name;
        match verdict {
            Verdict::Equal => {
                if is_own_known && index > self.comparing.said {
                    self.alarm(None);
                }
            }
            Verdict::OwnDiffers => {
                let what = format!("its state as of entry {index} is not that of a majority");
                self.alarm(Some(&what));
                let line = format!(
                    "DIVERGED: the state of {name} on this host as of entry {index} differs from that of a majority of its replicas; it is given up and fetched anew. Look for a bad disk or memory: `bookshop-host logs host` of the time before"
                );
                self.parts.log.error(None, &line);
                self.leaves(&what);
            }
            Verdict::OthersDiffer(wrong) if index > self.comparing.said => {
                self.comparing.said = index;
                self.alarm(None);
                let hosts: Vec<&str> = wrong
                    .iter()
                    .filter_map(|id| Some(self.member.roster().hosts.get(id)?.as_str()))
                    .collect();
                let line = format!(
                    "DIVERGED: the state of {name} on {} as of entry {index} differs from that of a majority of its replicas",
                    hosts.join(", ")
                );
                self.parts.log.error(None, &line);
            }
            Verdict::Unclear => {
                let now = self.parts.os.clock.monotonic();
                self.comparing.unclear.get_or_insert((index, now));
            }
            Verdict::OthersDiffer(_) => {}
        }
    }

    /// Says that replicas differ, if those that could decide have said nothing for a while.
    pub(super) fn look_at_unclear(&mut self, now: Duration) {
        let Some((index, since)) = self.comparing.unclear else {
            return;
        };
        if now.saturating_sub(since) < UNCLEAR_TIME {
            return;
        }
        self.comparing.unclear = None;
        if index <= self.comparing.said {
            return;
        }
        self.comparing.said = index;
        let what = format!("as of entry {index} replicas differ, and no majority of them agrees");
        let line = format!(
            "DIVERGED: of {}, {what}; nothing is done about it",
            self.parts.name
        );
        self.parts.log.error(None, &line);
        self.alarm(Some(&what));
    }

    /// What `status` shows of it.
    pub(super) fn alarm(&self, what: Option<&str>) {
        self.parts.compared.send_if_modified(|compared| {
            let what = what.map(ToOwned::to_owned);
            let is_news = compared.diverged != what;
            compared.diverged = what;
            is_news
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(hashes: &[(u64, &str)], expected: Verdict) {
        let hashes = hashes.iter().map(|(id, hash)| (*id, (*hash).to_owned()));
        let found = judge(&hashes.collect(), 1, &[1, 2, 3, 4], &[1, 2, 3]);
        assert_eq!(found, expected);
    }

    #[test]
    fn only_a_majority_of_all_voters_shows_who_is_wrong() {
        check(&[(1, "a")], Verdict::Equal);
        check(&[(1, "a"), (2, "a"), (3, "a")], Verdict::Equal);
        check(&[(1, "b"), (2, "a"), (3, "a")], Verdict::OwnDiffers);
        check(
            &[(1, "a"), (2, "b"), (3, "a")],
            Verdict::OthersDiffer(vec![2]),
        );
        check(&[(1, "a"), (2, "b")], Verdict::Unclear);
        check(&[(1, "a"), (2, "b"), (3, "c")], Verdict::Unclear);
    }

    #[test]
    fn a_learner_can_be_wrong_and_cannot_show_that_others_are() {
        check(
            &[(1, "a"), (2, "a"), (4, "b")],
            Verdict::OthersDiffer(vec![4]),
        );
        check(&[(1, "a"), (4, "b")], Verdict::Unclear);
        check(&[(1, "a"), (4, "b"), (2, "b")], Verdict::Unclear);
    }

    #[test]
    fn a_replica_that_is_no_member_does_not_count() {
        check(&[(1, "a"), (7, "b"), (8, "b")], Verdict::Equal);
    }
}
