//! Cluster files that clients of the registry apply: it reads none of them, so a number in a few words is one.

use bookshop_host::simulation::Random;
use serde_json::{Value, json};

/// Of so many files one is longer than what is kept beside its key.
const LONG_EVERY: u64 = 7;
const LONG_BYTES: usize = 3_000;

/// Services, of which each file has some.
const SERVICES: [&str; 4] = ["orders", "database", "order-queue", "suggestions"];

/// A file with the code that it names, in any order.
pub struct File {
    config: String,
    components: Vec<Value>,
    by: String,
    summary: String,
}

fn component(service: &str, digest: String) -> Value {
    json!({ "service": service, "digest": digest, "bytes": 1_000 + service.len(), "canary": null })
}

/// The same with another component that gets a share of the calls.
fn with_canary(mut component: Value, number: u64) -> Value {
    component["canary"] = json!({
        "digest": format!("{:064x}", number + 1),
        "bytes": 1_000,
        "percent": 1 + number % 9,
        "then": [10, 10 + number % 90 + 1],
        "every-ms": number,
    });
    component
}

impl File {
    /// The file of a number, which is always the same one, applied by `by`.
    pub fn new(number: u64, by: String, random: &mut Random) -> Self {
        // Two files in a row may differ in their code alone.
        let mut config = format!("# {}\n", number / 2);
        if (number / 2).is_multiple_of(LONG_EVERY) {
            config.push_str(&"#".repeat(LONG_BYTES));
        }
        let count = 1 + number as usize % SERVICES.len();
        let services = SERVICES.iter().take(count);
        let mut components: Vec<Value> = services
            .map(|service| component(service, format!("{number:064x}")))
            .collect();
        if number.is_multiple_of(3) {
            components[0] = with_canary(components[0].clone(), number);
        }
        for place in 1..components.len() {
            components.swap(place, random.below(place as u64 + 1) as usize);
        }
        Self {
            config,
            components,
            by,
            summary: format!("to file {number}"),
        }
    }

    /// The same file with something that is never accepted.
    pub fn spoiled(mut self, random: &mut Random) -> Self {
        let digest = "0".repeat(64);
        match random.below(9) {
            8 => {
                let mut canary = with_canary(self.components[0].clone(), 1);
                canary["canary"]["then"] = json!([10, 10]);
                self.components[0] = canary;
            }
            0 => self.config = "#".repeat((256 << 10) + 1),
            1 => self.by = "b".repeat(129),
            2 => self.summary = "é".repeat(1_025),
            3 => {
                let numbered = |number| component(&format!("s{number}"), digest.clone());
                self.components = (0..1_001).map(numbered).collect();
            }
            4 => self.components.push(component("", digest)),
            5 => self.components.push(component(&"s".repeat(64), digest)),
            6 => self.components.push(component("upper", "A".repeat(64))),
            _ => self.components.push(component(SERVICES[0], digest)),
        }
        self
    }

    /// The arguments of `apply`.
    pub fn arguments(&self, base: u64) -> Value {
        json!([base, self.config, self.components, self.by, self.summary])
    }
}
