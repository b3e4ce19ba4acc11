//! Orders and their queue: what is approved is in the queue exactly once, and its history says so.

use super::orders::{self, Deciders};
use super::queue;
use bookshop_host::simulation::{Committed, Heard, Look, Looked, Random, Request, Workload};
use serde_json::Value;

/// Whether anybody takes orders from the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workers {
    /// Nobody: it fills up.
    None,
    /// Half of all calls are those of workers.
    Some,
}

/// The workload.
pub struct Shop {
    deciders: Deciders,
    workers: queue::Workers,
    has_workers: Workers,
    next_key: u64,
}

impl Shop {
    /// Nothing has happened.
    pub fn new(clients: usize, has_workers: Workers) -> Self {
        Self {
            deciders: Deciders::default(),
            workers: queue::Workers::new(clients),
            has_workers,
            next_key: 0,
        }
    }
}

impl Workload for Shop {
    fn services(&self) -> &'static [&'static str] {
        &["orders", "order-queue"]
    }

    fn next(&mut self, client: usize, random: &mut Random) -> Option<Request> {
        let key = &mut self.next_key;
        Some(if self.has_workers == Workers::Some && random.chance(500) {
            self.workers.next(client, random, key)
        } else {
            self.deciders.next(random, key)
        })
    }

    fn heard(&mut self, client: usize, request: &Request, heard: &Heard) -> Result<(), String> {
        if request.service == queue::SERVICE {
            self.workers.heard(client, request, heard);
        }
        Ok(())
    }

    fn committed(&mut self, committed: &Committed<'_>) -> Result<(), String> {
        if committed.service == orders::SERVICE {
            return self.deciders.committed(committed);
        }
        self.workers.committed(committed)?;
        if let Some((_, arguments)) = committed.message {
            let arguments: Value =
                serde_json::from_str(arguments).map_err(|error| error.to_string())?;
            let id = arguments[0]["order-id"].as_str().unwrap_or_default();
            self.deciders.model.handed(id, committed.result)?;
        }
        Ok(())
    }

    fn looked(&mut self, looked: &Looked<'_>) -> Result<(), String> {
        if looked.request.service == orders::SERVICE {
            self.deciders.looked(looked)
        } else {
            self.workers.looked(looked)
        }
    }

    fn settled(&mut self, look: &mut dyn Look) -> Result<(), String> {
        self.deciders.settled(look)?;
        self.workers.settled(look)?;
        for (id, answer) in self.deciders.model.approved() {
            let is_queued = answer.is_some_and(|answer| answer.get("ok").is_some());
            if is_queued != self.workers.model.had(id) {
                return Err(format!(
                    "order {id} is approved, the queue said {answer:?}, and it is not so"
                ));
            }
        }
        Ok(())
    }
}
