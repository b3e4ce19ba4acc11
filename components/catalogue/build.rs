//! Turns the two data files into tables, so that a component reads no file and parses nothing.
//!
//! A mistake in them ends the build with the file and the line.

use std::fmt::Write;

/// A book's place in its file is its place in the table.
struct Catalogue<'a> {
    ids: Vec<&'a str>,
}

#[allow(
    clippy::disallowed_methods,
    reason = "a build script runs on no host: it reads its input and writes its output itself"
)]
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let [books, baskets] = ["books.csv", "baskets.csv"].map(|file| {
        println!("cargo:rerun-if-changed={file}");
        std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"))
    });
    let (catalogue, books) = books_table(&books);
    let pairs = pairs_table(&catalogue, &baskets);
    let folder = std::env::var("OUT_DIR").expect("cargo names the folder for output");
    std::fs::write(format!("{folder}/tables.rs"), books + &pairs)
        .expect("the folder for output can be written");
}

/// `BOOKS`: the books in the order of the file.
fn books_table(text: &str) -> (Catalogue<'_>, String) {
    let mut catalogue = Catalogue { ids: Vec::new() };
    let mut table = "static BOOKS: &[Book] = &[\n".to_owned();
    // The first line names the columns.
    for (line, text) in (1..).zip(text.lines()).skip(1) {
        let [id, title, author, genre, price_cents, stock] =
            text.split(';').collect::<Vec<_>>()[..]
        else {
            panic!("books.csv:{line}: expected six columns with ; between them");
        };
        let [price_cents, stock] = [price_cents, stock].map(|number| -> u32 {
            number
                .parse()
                .unwrap_or_else(|_| panic!("books.csv:{line}: {number} is no number"))
        });
        assert!(
            !catalogue.ids.contains(&id),
            "books.csv:{line}: {id} is there twice"
        );
        catalogue.ids.push(id);
        writeln!(
            table,
            "Book {{ id: {id:?}, title: {title:?}, author: {author:?}, genre: {genre:?}, price_cents: {price_cents}, stock: {stock} }},"
        )
        .expect("a text can be written to");
    }
    (catalogue, table + "];\n")
}

/// `PAIRS`: for each book in the order of the file, the books that were in one basket with it and how often, the most frequent first.
fn pairs_table(catalogue: &Catalogue, text: &str) -> String {
    let count = catalogue.ids.len();
    let mut together = vec![vec![0_u32; count]; count];
    for (line, text) in (1..).zip(text.lines()) {
        let places: Vec<usize> = text
            .split(';')
            .map(|id| {
                let place = catalogue.ids.iter().position(|known| *known == id);
                place.unwrap_or_else(|| panic!("baskets.csv:{line}: books.csv has no {id}"))
            })
            .collect();
        for &one in &places {
            for &other in places.iter().filter(|&&other| other != one) {
                together[one][other] += 1;
            }
        }
    }
    let mut table = "static PAIRS: &[&[(usize, u32)]] = &[\n".to_owned();
    for row in together {
        let mut pairs: Vec<(usize, u32)> = (0..).zip(row).filter(|(_, times)| *times > 0).collect();
        pairs.sort_by_key(|(place, times)| (std::cmp::Reverse(*times), *place));
        writeln!(table, "&{pairs:?},").expect("a text can be written to");
    }
    table + "];\n"
}
