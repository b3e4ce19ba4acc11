//! PEM files as text: the blocks of one kind, kept byte for byte, so that a file can be written again with others before or without some.

use rustls::pki_types::pem::Error;

/// What is wrong with a file that cannot be read as PEM, after its name.
pub(super) fn broken(error: &Error) -> String {
    match error {
        Error::MissingSectionEnd { .. } => "holds a block that is cut off".to_owned(),
        other => format!("holds something that is no PEM ({other})"),
    }
}

/// The blocks with this label, in the order of the text, without what stands between them. A block without an end is left out.
pub(super) fn blocks<'a>(text: &'a str, label: &str) -> Vec<&'a str> {
    let (begin, end) = (
        format!("-----BEGIN {label}-----"),
        format!("-----END {label}-----"),
    );
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(&begin) {
        rest = &rest[start..];
        let Some(length) = rest.find(&end).map(|at| at + end.len()) else {
            break;
        };
        let (block, behind) = rest.split_at(length);
        found.push(block);
        rest = behind;
    }
    found
}

/// A file of blocks.
pub(super) fn file<'a>(blocks: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for block in blocks {
        text.push_str(block.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_one_kind_are_found_among_others() {
        let text = "a note\n-----BEGIN X-----\nMQ==\n-----END X-----\n-----BEGIN Y-----\n-----END Y-----\n-----BEGIN X-----\nMg==\n-----END X-----\n-----BEGIN X-----\n";
        let found = blocks(text, "X");
        assert_eq!(
            found,
            [
                "-----BEGIN X-----\nMQ==\n-----END X-----",
                "-----BEGIN X-----\nMg==\n-----END X-----"
            ]
        );
        assert_eq!(blocks(&file(found.iter().copied()), "X"), found);
    }
}
