//! What keeps a component from being linked.

use crate::compat::Mismatch;
use crate::config::Query;
use crate::dispatch::FunctionName;
use crate::interface;

/// Why a component cannot be linked. Each says which component, which import or export, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// An import of the host needs a grant.
    #[error(
        "{service} imports {interface}, which it is not granted; add to [service.{service}]: {line}"
    )]
    NotGranted {
        /// The importer.
        service: String,
        /// The import.
        interface: String,
        /// What to add to the configuration.
        line: &'static str,
    },
    /// An import that neither the host nor any service provides.
    #[error("{service} imports {interface}, which {}", if *.platform { "this host does not offer" } else { "no service of this cluster exports; add a service that does" })]
    NoProvider {
        /// The importer.
        service: String,
        /// The import.
        interface: String,
        /// Whether the name is one of the host's own.
        platform: bool,
    },
    /// Two services export what is imported.
    #[error("{service} imports {interface}, which {} export; add to [service.{service}]: links = {{ \"{}\" = {{ to = \"{}\" }} }}", .exporters.join(" and "), interface::without_version(.interface), .exporters[0])]
    Ambiguous {
        /// The importer.
        service: String,
        /// The import.
        interface: String,
        /// Names of the services that export it.
        exporters: Vec<String>,
    },
    /// The configured link leads to a service that does not export the interface.
    #[error("{service}: links sends {interface} to {to}, which does not export it; {}", if .exporters.is_empty() { "no service of this cluster does".to_owned() } else { format!("{} does", .exporters.join(" or ")) })]
    WrongLink {
        /// The importer.
        service: String,
        /// The import.
        interface: String,
        /// The configured exporter.
        to: String,
        /// Names of the services that do export it.
        exporters: Vec<String>,
    },
    /// The exporter lacks an imported function.
    #[error(
        "{service} imports {function}, but {exporter} does not have that function; build both against the same interface"
    )]
    NoFunction {
        /// The importer.
        service: String,
        /// The function.
        function: FunctionName,
        /// The service that should have it.
        exporter: String,
    },
    /// The exporter's function has another type.
    #[error(
        "{service} imports {function}, which {exporter} exports with another type; build both against the same interface"
    )]
    Mismatch {
        /// The importer.
        service: String,
        /// The function.
        function: FunctionName,
        /// The service that exports it.
        exporter: String,
        /// Where they differ. Boxed, since it is three texts of its own.
        #[source]
        source: Box<Mismatch>,
    },
    /// A function between services passes something that is not a value.
    #[error(
        "{service}: {function} cannot be called between services: {reason}; use records, variants, lists and results instead"
    )]
    NotAValue {
        /// The component.
        service: String,
        /// The function.
        function: FunctionName,
        /// Which part.
        reason: String,
    },
    /// A synchronous component waits for asynchronous imports.
    #[error(
        "{service} exports only functions that are not async ({export}) and imports {import}, which is: it could never wait for it; build it against the interfaces without async (wit/sync)"
    )]
    SyncImportsAsync {
        /// The component.
        service: String,
        /// One of its exports.
        export: FunctionName,
        /// The import.
        import: FunctionName,
    },
    /// An import that is not an interface.
    #[error(
        "{service} imports {name}, which is not an interface; import an interface of a WIT package instead"
    )]
    NotAnInterface {
        /// The component.
        service: String,
        /// The import.
        name: String,
    },
    /// An import of the host's that leads to a call of an export, which is missing.
    #[error(
        "{service} imports {interface}, for which the host calls {handler} of the same component; export that"
    )]
    NoHandler {
        /// The component.
        service: String,
        /// The import.
        interface: String,
        /// The interface that should be exported.
        handler: &'static str,
    },
    /// A daemon that would be replicated.
    #[error(
        "{service} exports {run}, which makes it a daemon, and has replicated: nothing that a daemon wrote would ever take effect; remove replicated, and keep the state in another service that this one calls"
    )]
    ReplicatedDaemon {
        /// The component.
        service: String,
        /// What makes it a daemon.
        run: FunctionName,
    },
    /// The configuration calls something a query that the component does not export.
    #[error("{service} has {query} among its queries and does not export it; {}", if .exports.is_empty() { "it exports nothing that services call".to_owned() } else { format!("it exports {}", .exports.join(", ")) })]
    NoQuery {
        /// The component.
        service: String,
        /// The query as the configuration names it.
        query: Query,
        /// What could be queries.
        exports: Vec<String>,
    },
    /// The engine refuses for a reason of its own.
    #[error("{service} cannot be linked: {reason}")]
    Engine {
        /// The component.
        service: String,
        /// In the engine's words.
        reason: String,
    },
}
