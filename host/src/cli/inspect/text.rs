//! A description of a component for people.

use crate::cli::inspect::describe::{Description, Interface, Provider};
use crate::cli::output::{self, Paint, Style};

/// The description in sections; the WIT without WASI's packages comes last, being the longest.
pub fn text(description: &Description, style: Style) -> String {
    let mut lines = vec![
        style.bold(&description.file),
        format!("  sha256  {}", description.digest),
        format!(
            "  size    {} ({} bytes)",
            output::size(description.bytes as u64),
            description.bytes
        ),
        format!("  kind    {}", description.kind),
        String::new(),
    ];
    lines.push(style.bold("exports"));
    for export in &description.exports {
        lines.push(format!("  {}", export.name));
        lines.extend(functions(export));
    }
    if description.exports.is_empty() {
        lines.push("  nothing: no other service can call it".to_owned());
    }
    lines.extend([String::new(), style.bold("imports")]);
    let width = description
        .imports
        .iter()
        .map(|import| import.name.chars().count())
        .max()
        .unwrap_or(0);
    for import in &description.imports {
        let (paint, from) = origin(import);
        lines.push(format!(
            "  {:width$}  {}",
            import.name,
            style.paint(paint, from)
        ));
        if import.provider == Some(Provider::Service) {
            lines.extend(functions(import));
        }
    }
    if description.imports.is_empty() {
        lines.push("  nothing".to_owned());
    }
    lines.extend([String::new(), style.bold("configuration")]);
    lines.extend(description.config.lines().map(|line| format!("  {line}")));
    lines.extend([
        String::new(),
        style.bold("WIT (without the packages of WASI; --wit prints all)"),
    ]);
    lines.extend(
        description
            .own_wit
            .trim_end()
            .lines()
            .map(|line| format!("  {line}").trim_end().to_owned()),
    );
    lines.join("\n")
}

fn functions(interface: &Interface) -> impl Iterator<Item = String> {
    interface
        .functions
        .iter()
        .map(|function| format!("    {function}"))
}

fn origin(import: &Interface) -> (Paint, &'static str) {
    match import.provider {
        Some(Provider::Host) => (Paint::Dim, "from the host"),
        Some(Provider::Grant) => (Paint::Warn, "from the host, with a grant"),
        Some(Provider::Service) => (Paint::Plain, "from another service"),
        Some(Provider::Types) | None => (Paint::Dim, "types only"),
        Some(Provider::Nobody) => (Paint::Bad, "not offered by this host"),
    }
}
