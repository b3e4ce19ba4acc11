//! A line more in the section of a service.

use crate::cli::failure::Failure;

/// The file with `line` as the first of the section of `service`. Whether it means anything there, whoever reads the file finds out.
///
/// # Errors
/// There is no such section.
pub fn add(config: &str, service: &str, line: &str) -> Result<String, Failure> {
    let header = format!("[service.{service}]");
    let is_header = |line: &str| line.split('#').next().is_some_and(|it| it.trim() == header);
    let mut lines: Vec<&str> = config.lines().collect();
    let Some(place) = lines.iter().position(|line| is_header(line)) else {
        return Err(Failure::usage(format!(
            "the cluster file in force has no line {header} to add this below; edit the file and apply it"
        )));
    };
    lines.insert(place + 1, line);
    Ok(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_first_in_its_section() {
        let config = "[service.a]\nwasm = \"a\"\n\n[service.b] # the other\nwasm = \"b\"\n";
        let added = add(config, "b", "timers = true").expect("there is such a section");
        assert_eq!(
            added,
            "[service.a]\nwasm = \"a\"\n\n[service.b] # the other\ntimers = true\nwasm = \"b\"\n"
        );
        assert!(add(config, "c", "timers = true").is_err());
    }
}
