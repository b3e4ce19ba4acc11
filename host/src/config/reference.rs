//! Every key of a cluster file: its type, default, range and meaning.
//!
//! The one source of these facts: the file is read by this table ([`super::section`]), unknown keys are judged by it,
//! and `bookshop-host config-keys` and the documentation print it. A key that is not here cannot be read.

use super::key_doc::KeyDoc;
use super::kind::Kind;

/// Every key, tables before what is in them.
#[must_use]
pub fn reference() -> &'static [KeyDoc] {
    KEYS
}

/// The key at `name` in the table `table` (empty for the top of the file).
///
/// # Panics
/// There is none: the reader asks for a key that nobody documented.
pub(super) fn key(table: &str, name: &str) -> &'static KeyDoc {
    let found = KEYS.iter().find(|doc| below(table, doc.key) == Some(name));
    found.unwrap_or_else(|| panic!("the key {name} of [{table}] is missing in config/reference.rs"))
}

/// Paths of all keys below `table`, relative to it: `limits`, `limits.memory`.
pub(super) fn keys_below(table: &str) -> impl Iterator<Item = &'static str> {
    KEYS.iter().filter_map(move |doc| below(table, doc.key))
}

fn below(table: &str, key: &'static str) -> Option<&'static str> {
    if table.is_empty() {
        Some(key)
    } else {
        key.strip_prefix(table)?.strip_prefix('.')
    }
}

const KEYS: &[KeyDoc] = &[
    KeyDoc::required("cluster", Kind::Table, "[cluster]", "The cluster as a whole."),
    KeyDoc::required("cluster.name", Kind::Name, "bookshop", "Name of the cluster, shown in status and telemetry."),
    KeyDoc::default(
        "cluster.data",
        Kind::Path,
        "bookshop-data",
        "Folder for everything that is kept, one folder a host below it; relative to the folder of the cluster file.",
    ),
    KeyDoc::optional(
        "cluster.certificates",
        Kind::Path,
        "Folder of the certificates with which hosts know each other, certs below cluster.data unless set; relative to the folder of the cluster file.",
    ),
    KeyDoc::default(
        "cluster.hops-max",
        Kind::Count,
        "16",
        "Calls in a chain, each made by the one before, until the next is refused with hop-limit: what ends a cycle.",
    )
    .within("1", "255"),
    KeyDoc::default(
        "cluster.drain-timeout",
        Kind::Duration,
        "10s",
        "How long a stopping host waits for running calls before it ends them.",
    )
    .within("1ms", "1h"),
    KeyDoc::default(
        "cluster.probe-interval",
        Kind::Duration,
        "250ms",
        "How often a host asks each of the others whether it is there, and what runs on it.",
    )
    .within("10ms", "1min"),
    KeyDoc::default(
        "cluster.probe-timeout",
        Kind::Duration,
        "1s",
        "How long another host may take to answer; then it gets no calls until it answers again, and calls under way to it end.",
    )
    .within("10ms", "1min"),
    KeyDoc::default(
        "cluster.heartbeat-interval",
        Kind::Duration,
        "20ms",
        "How often the leader of a replicated service tells the other replicas that it is there, when nothing else does.",
    )
    .within("1ms", "10s"),
    KeyDoc::default(
        "cluster.election-timeout",
        Kind::Duration,
        "200ms",
        "How long replicas hear nothing of their leader before they elect another one, or up to twice as long where that fails; at least five times heartbeat-interval.",
    )
    .within("10ms", "1min"),
    KeyDoc::default(
        "cluster.workers",
        Kind::Count,
        "0",
        "Threads on which a host serves requests; 0 is one for each processor core.",
    )
    .within("0", "1024"),
    KeyDoc::default(
        "cluster.checkpoint-interval",
        Kind::Duration,
        "60s",
        "How often a host folds what replicated services wrote from its log into its state store. Rarer is less work, but a longer start after a crash.",
    )
    .within("1s", "1h"),
    KeyDoc::default(
        "cluster.checkpoint-log",
        Kind::Size,
        "64MiB",
        "How much the log may grow until the same is done earlier.",
    )
    .within("1MiB", "16GiB"),
    KeyDoc::default(
        "cluster.control",
        Kind::Boolean,
        "false",
        "Whether the cluster keeps its own state, this file first, in a replicated service of its own called control, so that apply can change it while it runs. Cannot be switched off again.",
    ),
    KeyDoc::required("host", Kind::Tables, "[[host]]", "One process of the cluster."),
    KeyDoc::required("host.name", Kind::Name, "alpha", "Name of the host, unique in the file."),
    KeyDoc::required(
        "host.http",
        Kind::Address,
        "127.0.0.1:8080",
        "Where services with http answer. Port 0 takes a free one, for tests.",
    ),
    KeyDoc::required("host.peer", Kind::Address, "127.0.0.1:7101", "Where the other hosts of the cluster connect."),
    KeyDoc::required("host.api", Kind::Address, "127.0.0.1:7201", "Where programs outside the cluster call services."),
    KeyDoc::required(
        "host.admin",
        Kind::Address,
        "127.0.0.1:9101",
        "Where status, logs and commands are served. Loopback only for now, because it does not yet ask who is there.",
    ),
    KeyDoc::optional(
        "service.NAME",
        Kind::Table,
        "A service: a component with its place, limits and capabilities. NAME is kebab-case.",
    ),
    KeyDoc::required(
        "service.NAME.wasm",
        Kind::Path,
        "fraud_detection.wasm",
        "The component, relative to the folder of the cluster file; with build, the name of the file that cargo writes.",
    ),
    KeyDoc::optional("service.NAME.build", Kind::Table, "How build and run make the component."),
    KeyDoc::required(
        "service.NAME.build.cargo",
        Kind::Text,
        "fraud-detection",
        "Cargo package of the workspace that is built for wasm32-wasip2 in the profile component.",
    ),
    KeyDoc::default("service.NAME.hosts", Kind::Hosts, "all", "Hosts that run the service."),
    KeyDoc::default(
        "service.NAME.instance",
        Kind::Instance,
        "per-call",
        "A fresh instance for every call, or instances used again, one call at a time: faster for heavy runtimes, but what one call leaves behind the next can see.",
    ),
    KeyDoc::default(
        "service.NAME.retire-after",
        Kind::Count,
        "1000",
        "Calls after which a pooled instance is replaced, give or take a random part. Only with instance = \"pooled\".",
    )
    .within("1", "1000000"),
    KeyDoc::optional(
        "service.NAME.storage",
        Kind::Storage,
        "Whether the service may keep state in storage; volatile state is in the memory of each host and ends with it.",
    ),
    KeyDoc::optional(
        "service.NAME.replicated",
        Kind::Table,
        "The service keeps state in storage, timers and outbox that outlives its host: a call is answered once what it wrote is safe on disk. Not together with storage, http or grants.",
    ),
    KeyDoc::required(
        "service.NAME.replicated.replicas",
        Kind::Count,
        "1",
        "Hosts that keep the state: 1, 3, 5 or 7. hosts has to name exactly so many, or the file to have so many. The service goes on as long as more than half of them are there.",
    ),
    KeyDoc::optional(
        "service.NAME.replicated.queries",
        Kind::Queries,
        "Functions that only read: they run beside each other on the state as it was when they began, and may not write. All others run one after another.",
    ),
    KeyDoc::default(
        "service.NAME.replicated.session-age",
        Kind::Duration,
        "24h",
        "How long the answer to an idempotency key is kept and given again; a call with an older one gets key-expired.",
    )
    .within("1s", "720h"),
    KeyDoc::default(
        "service.NAME.replicated.sessions",
        Kind::Size,
        "16MiB",
        "What kept answers may take; the oldest go when there are more.",
    )
    .within("64KiB", "4GiB"),
    KeyDoc::optional("service.NAME.http", Kind::Table, "The service answers HTTP requests."),
    KeyDoc::default(
        "service.NAME.http.path",
        Kind::UrlPath,
        "/",
        "Requests whose path is this or below it go to the service; the longest prefix wins. Unique on each host.",
    ),
    KeyDoc::optional(
        "service.NAME.swap",
        Kind::Table,
        "How a host watches a component that has just taken the place of another while it serves. If it is worse than that, the other is put back, and no further host takes it. Only with cluster.control.",
    ),
    KeyDoc::default(
        "service.NAME.swap.watch",
        Kind::Duration,
        "2s",
        "How long each host watches before the next one takes it too; up to five times as long while what failed would be too much, but is too little to say so.",
    )
    .within("1ms", "1min"),
    KeyDoc::default(
        "service.NAME.swap.errors-max-permille",
        Kind::Count,
        "5",
        "How many of a thousand calls may fail beyond those that failed before: traps, missed deadlines, refusals. Counts from the third on, or if none was answered.",
    )
    .within("0", "1000"),
    KeyDoc::default(
        "service.NAME.swap.latency-max-percent",
        Kind::Count,
        "300",
        "How long a call may take on the mean, in percent of what it took before. Counts once it was called a hundred times.",
    )
    .within("100", "100000"),
    KeyDoc::optional("service.NAME.limits", Kind::Table, "What one service may use. Every limit is always on."),
    KeyDoc::default("service.NAME.limits.memory", Kind::Size, "64MiB", "Linear memory of one instance.")
        .within("1MiB", "4GiB"),
    KeyDoc::default(
        "service.NAME.limits.time",
        Kind::Duration,
        "5s",
        "Time one call may take, waiting included; then the caller gets deadline-exceeded.",
    )
    .within("1ms", "1h"),
    KeyDoc::default(
        "service.NAME.limits.cpu",
        Kind::Duration,
        "1s",
        "Processor time one call may use; then it is trapped.",
    )
    .within("1ms", "1h"),
    KeyDoc::default("service.NAME.limits.concurrency", Kind::Count, "128", "Calls that run at once on one host.")
        .within("1", "10000"),
    KeyDoc::default(
        "service.NAME.limits.queue",
        Kind::Count,
        "1024",
        "Calls that wait on one host for a place among the running; the next one gets overloaded.",
    )
    .within("0", "100000"),
    KeyDoc::default("service.NAME.limits.arguments", Kind::Size, "1MiB", "Size of the arguments of one call.")
        .within("1KiB", "256MiB"),
    KeyDoc::default("service.NAME.limits.result", Kind::Size, "1MiB", "Size of the result of one call.")
        .within("1KiB", "256MiB"),
    KeyDoc::default(
        "service.NAME.limits.scratch",
        Kind::Size,
        "16MiB",
        "What the service keeps in scratch on one host; more is refused.",
    )
    .within("4KiB", "4GiB"),
    KeyDoc::default(
        "service.NAME.limits.storage",
        Kind::Size,
        "64MiB",
        "What the service keeps in storage; a call that would exceed it fails. Only with storage or replicated.",
    )
    .within("4KiB", "64GiB"),
    KeyDoc::default(
        "service.NAME.limits.log-lines-per-second",
        Kind::Count,
        "1000",
        "Log lines kept on one host; more in a second are dropped, and counted.",
    )
    .within("0", "1000000"),
    KeyDoc::optional(
        "service.NAME.config",
        Kind::Texts,
        "What the component reads by wasi:config, under keys of its choice.",
    ),
    KeyDoc::optional("service.NAME.grants", Kind::Grants, "What the component may reach outside. Nothing by default."),
    KeyDoc::optional(
        "service.NAME.links.INTERFACE",
        Kind::Table,
        "Which service an imported interface leads to; needed only where two services export it.",
    ),
    KeyDoc::required(
        "service.NAME.links.INTERFACE.to",
        Kind::Name,
        "suggestions",
        "The service that is called. It must be in the file.",
    ),
    KeyDoc::optional("chaos", Kind::Table, "Faults that are injected while the cluster runs, to see what it does then."),
    KeyDoc::default(
        "chaos.enabled",
        Kind::Boolean,
        "false",
        "Whether bookshop-host chaos may drop and delay messages between hosts and stop services. Not where people rely on the cluster.",
    ),
];

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::{duration, size};
    use super::*;
    use crate::config::Absent;

    #[test]
    fn keys_are_unique_and_their_tables_come_first() {
        for (index, doc) in KEYS.iter().enumerate() {
            assert!(
                KEYS[..index].iter().all(|earlier| earlier.key != doc.key),
                "{} twice",
                doc.key
            );
            let table = doc.key.rsplit_once('.').map(|(table, _)| table);
            // Tables of named tables (service, links) are not keys of their own.
            if let Some(table) =
                table.filter(|_| doc.name().chars().any(|c| c.is_ascii_lowercase()))
            {
                assert!(
                    KEYS[..index].iter().any(|earlier| earlier.key == table),
                    "{} before its table",
                    doc.key
                );
            }
        }
    }

    #[test]
    fn defaults_are_within_their_ranges() {
        for doc in KEYS {
            let Some((least, greatest)) = doc.range else {
                continue;
            };
            let Absent::Default(default) = doc.absent else {
                panic!("{} has a range but no default", doc.key)
            };
            let number = |text: &str| match doc.kind {
                Kind::Size => size::parse(text).expect(doc.key),
                Kind::Duration => {
                    u64::try_from(duration::parse(text).expect(doc.key).as_micros()).expect(doc.key)
                }
                Kind::Count => text.parse().expect(doc.key),
                other => panic!("{} has a range but is {other:?}", doc.key),
            };
            assert!(
                (number(least)..=number(greatest)).contains(&number(default)),
                "{}",
                doc.key
            );
        }
    }

    #[test]
    fn a_key_prints_all_its_facts() {
        check(
            "cluster.name",
            expect![[r#"
            cluster.name
                name (kebab-case, at most 63 characters), required
                Name of the cluster, shown in status and telemetry."#]],
        );
        check(
            "service.NAME.limits.memory",
            expect![[r#"
            service.NAME.limits.memory
                size (B, KiB, MiB, GiB), default "64MiB", from "1MiB" to "4GiB"
                Linear memory of one instance."#]],
        );
        check(
            "service.NAME.retire-after",
            expect![[r#"
            service.NAME.retire-after
                whole number, default 1000, from 1 to 1000000
                Calls after which a pooled instance is replaced, give or take a random part. Only with instance = "pooled"."#]],
        );
        check(
            "service.NAME.grants",
            expect![[r#"
            service.NAME.grants
                list of "http:HOST:PORT", "tcp:HOST:PORT", "listen:IP:PORT", "env:NAME", optional
                What the component may reach outside. Nothing by default."#]],
        );
    }

    #[track_caller]
    fn check(key: &str, expected: Expect) {
        let doc = KEYS.iter().find(|doc| doc.key == key).expect("documented");
        expected.assert_eq(&doc.to_string());
    }

    #[test]
    fn meanings_are_sentences() {
        for doc in KEYS {
            assert!(
                doc.meaning.ends_with('.') && doc.meaning.len() > 15,
                "{}",
                doc.key
            );
        }
    }
}
