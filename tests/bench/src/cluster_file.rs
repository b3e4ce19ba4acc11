//! Cluster files for measurements: the shop's own, changed where a measurement needs it, on ports that are free.

use crate::{Outcome, paths};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use toml::{Table, Value};

/// Keys of a host that are addresses.
const ADDRESSES: [&str; 4] = ["http", "peer", "api", "admin"];

/// Where one host is reached.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// Its name.
    pub name: String,
    /// Where it serves HTTP.
    pub http: SocketAddr,
    /// Where it takes calls of programs outside the cluster.
    pub api: SocketAddr,
    /// Where its admin interface is.
    pub admin: SocketAddr,
}

/// A cluster file to be.
pub struct Draft(Table);

/// A cluster file on disk, removed when this is dropped.
pub struct ClusterFile {
    /// The file.
    pub path: PathBuf,
    /// The hosts in it.
    pub hosts: Vec<Addresses>,
    /// How many hosts run each service.
    pub places: BTreeMap<String, usize>,
}

impl Draft {
    /// `config/local.toml`: every service on every host.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn shop() -> Outcome<Self> {
        Self::read("config/local.toml")
    }

    /// `config/cluster.toml`: the same services spread over the hosts.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn spread() -> Outcome<Self> {
        let mut draft = Self::read("config/cluster.toml")?;
        // Each run has ports and services of its own, which the state of the last one would go before.
        if let Some(cluster) = draft.0.get_mut("cluster").and_then(Value::as_table_mut) {
            cluster.remove("control");
        }
        Ok(draft)
    }

    fn read(file: &str) -> Outcome<Self> {
        let text = std::fs::read_to_string(paths::repository().join(file))
            .map_err(|error| format!("cannot read {file}: {error}"))?;
        Ok(Self(text.parse()?))
    }

    /// What `text` says.
    ///
    /// # Errors
    /// It is not TOML.
    pub fn of(text: &str) -> Outcome<Self> {
        Ok(Self(text.parse()?))
    }

    /// One host that answers every request with `Hello, world!`.
    ///
    /// # Errors
    /// The fixture is not built.
    pub fn hello() -> Outcome<Self> {
        let wasm = paths::guest("fixture-http-hello")?;
        let text = format!(
            "[cluster]\nname = \"hello\"\n\n[[host]]\nname = \"alpha\"\n\n[service.hello]\nwasm = {wasm:?}\nhttp = {{ path = \"/\" }}\n"
        );
        Self::of(&text)
    }

    /// Keeps the first host only, where every host runs everything.
    #[must_use]
    pub fn one_host(mut self) -> Self {
        if let Some(hosts) = self.0.get_mut("host").and_then(Value::as_array_mut) {
            hosts.truncate(1);
        }
        self
    }

    /// Has the cluster keep its own state, and not watch what is swapped in for `service`.
    ///
    /// # Errors
    /// There is no such service.
    pub fn controlled(mut self, service: &str) -> Outcome<Self> {
        let cluster = self.0.get_mut("cluster").and_then(Value::as_table_mut);
        let cluster = cluster.ok_or("the file has no [cluster]")?;
        cluster.insert("control".into(), true.into());
        let found = self.services().and_then(|it| it.get_mut(service));
        let found = found.and_then(Value::as_table_mut);
        let found = found.ok_or_else(|| format!("the file has no service {service}"))?;
        // What the machine does meanwhile must not take a swap back.
        let never = [
            ("watch", Value::from("1ms")),
            ("errors-max-permille", Value::from(1_000)),
            ("latency-max-percent", Value::from(100_000)),
        ];
        let never = never.map(|(key, value)| (key.to_owned(), value));
        found.insert("swap".into(), Table::from_iter(never).into());
        Ok(self)
    }

    /// Lets all services use their instances again.
    #[must_use]
    pub fn pooled(mut self) -> Self {
        for service in self
            .services()
            .into_iter()
            .flat_map(Table::iter_mut)
            .filter_map(|(_, service)| service.as_table_mut())
        {
            service.insert("instance".into(), "pooled".into());
        }
        self
    }

    /// Gives every service that keeps state a replica on every host.
    #[must_use]
    pub fn replicated(mut self) -> Self {
        let hosts = self.0.get("host").and_then(Value::as_array);
        let replicas = hosts.map_or(1, Vec::len);
        for service in self
            .services()
            .into_iter()
            .flat_map(Table::iter_mut)
            .filter_map(|(_, service)| service.as_table_mut())
        {
            if let Some(replicated) = service.get_mut("replicated").and_then(Value::as_table_mut) {
                let replicas = i64::try_from(replicas).unwrap_or(i64::MAX);
                replicated.insert("replicas".into(), replicas.into());
                service.remove("hosts");
            }
        }
        self
    }

    /// Adds services that nobody calls: each a component of its own, so that none shares compiled code with another.
    ///
    /// # Errors
    /// The component they are made from is not built.
    pub fn with_idle_services(mut self, count: usize) -> Outcome<Self> {
        let folder = paths::data()?.join("idle");
        std::fs::create_dir_all(&folder)?;
        let original = std::fs::read(paths::guest("suggestions")?)?;
        let services = self.services().ok_or("the file has no services")?;
        // Without this there would be many to suggest books.
        let orchestrator = services
            .get_mut("orchestrator")
            .and_then(Value::as_table_mut)
            .ok_or("the shop has no orchestrator")?;
        let link = Table::from_iter([("to".to_owned(), Value::from("suggestions"))]);
        orchestrator.insert(
            "links".into(),
            Table::from_iter([("bookshop:shop/suggestions".to_owned(), Value::from(link))]).into(),
        );
        let limits = services
            .get("suggestions")
            .and_then(|suggestions| suggestions.get("limits"))
            .cloned();
        for number in 0..count {
            let wasm = folder.join(format!("idle_{number}.wasm"));
            std::fs::write(&wasm, renamed(&original, &format!("idle-{number}"))?)?;
            let mut service = Table::from_iter([(
                "wasm".to_owned(),
                Value::from(wasm.to_string_lossy().into_owned()),
            )]);
            service.extend(limits.clone().map(|limits| ("limits".to_owned(), limits)));
            services.insert(format!("idle-{number}"), service.into());
        }
        Ok(self)
    }

    /// Writes it, with the data root of measurements and with ports that were free a moment ago.
    ///
    /// # Errors
    /// No free ports, or the file cannot be written.
    pub fn write(mut self) -> Outcome<ClusterFile> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let cluster = self
            .0
            .get_mut("cluster")
            .and_then(Value::as_table_mut)
            .ok_or("the file has no [cluster]")?;
        let name = cluster
            .get("name")
            .and_then(Value::as_str)
            .ok_or("the cluster has no name")?
            .to_owned();
        for (key, folder) in [
            ("data", paths::data()?),
            ("certificates", paths::certificates(&name)?),
        ] {
            cluster.insert(key.into(), folder.to_string_lossy().into_owned().into());
        }
        let hosts = self
            .0
            .get_mut("host")
            .and_then(Value::as_array_mut)
            .ok_or("the file has no hosts")?;
        let mut free = free_addresses(hosts.len() * ADDRESSES.len())?.into_iter();
        let mut addresses = Vec::new();
        for host in hosts.iter_mut().filter_map(Value::as_table_mut) {
            let [http, peer, api, admin] = std::array::from_fn(|_| {
                free.next().expect("there is one for each key of each host")
            });
            for (key, address) in ADDRESSES.into_iter().zip([http, peer, api, admin]) {
                host.insert(key.into(), address.to_string().into());
            }
            let name = host
                .get("name")
                .and_then(Value::as_str)
                .ok_or("a host has no name")?
                .to_owned();
            addresses.push(Addresses {
                name,
                http,
                api,
                admin,
            });
        }
        let places = self.places(addresses.len());
        // The cluster file of a workspace is one folder below it: only there are services with `build` found.
        let folder = paths::repository().join("target");
        std::fs::create_dir_all(&folder)?;
        let path = folder.join(format!(
            "bench-{}-{}.toml",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        ));
        std::fs::write(&path, self.0.to_string())?;
        Ok(ClusterFile {
            path,
            hosts: addresses,
            places,
        })
    }

    /// On how many of so many hosts each service runs: on those that it names, or on all.
    fn places(&mut self, hosts: usize) -> BTreeMap<String, usize> {
        let place = |(name, service): (String, &mut Value)| {
            let named = service.get("hosts").and_then(Value::as_array);
            (name, named.map_or(hosts, Vec::len))
        };
        let services = self.services().into_iter().flat_map(Table::iter_mut);
        services
            .map(|(name, service)| place((name.clone(), service)))
            .collect()
    }

    fn services(&mut self) -> Option<&mut Table> {
        self.0.get_mut("service").and_then(Value::as_table_mut)
    }
}

impl Drop for ClusterFile {
    fn drop(&mut self) {
        // Whoever removed it first did no harm.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Addresses that are free: all are held until the last is found, so that they differ.
///
/// # Errors
/// The operating system has none.
pub fn free_addresses(count: usize) -> Outcome<Vec<SocketAddr>> {
    let held = (0..count)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(held
        .iter()
        .map(TcpListener::local_addr)
        .collect::<Result<_, _>>()?)
}

/// The same component with another digest: a custom section at its end says `name`.
///
/// # Errors
/// The name is too long.
pub fn renamed(component: &[u8], name: &str) -> Outcome<Vec<u8>> {
    /// Section code of custom sections (Component Model, Binary.md).
    const CUSTOM: u8 = 0;
    // Lengths below 128 take one byte in LEB128.
    let length = u8::try_from(name.len())
        .ok()
        .filter(|length| *length < 127)
        .ok_or("the name is too long")?;
    Ok([component, &[CUSTOM, length + 1, length], name.as_bytes()].concat())
}
