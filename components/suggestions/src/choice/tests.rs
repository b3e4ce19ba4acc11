use super::*;

#[track_caller]
fn check(basket: &[&str], expected: &[&str]) {
    let ids: Vec<&str> = choose(basket).iter().map(|book| book.id).collect();
    assert_eq!(ids, expected);
}

#[test]
fn what_was_bought_together_comes_first() {
    check(&["Book A"], &["book-b", "emma", "the-time-machine"]);
    check(
        &["pride-and-prejudice", "persuasion"],
        &["sense-and-sensibility", "emma", "jane-eyre"],
    );
}

#[test]
fn then_comes_what_has_the_same_author_and_then_what_is_of_the_same_genre() {
    let emma = catalogue::find("emma").expect("it is there");
    let persuasion = catalogue::find("persuasion").expect("it is there");
    let middlemarch = catalogue::find("middlemarch").expect("it is there");
    let dracula = catalogue::find("dracula").expect("it is there");
    let affinity = |book, bought: &[(&Book, u32)]| affinity(book, &[emma], bought);
    let ranks = [
        affinity(dracula, &[(dracula, 2)]),
        affinity(persuasion, &[(persuasion, 1)]),
        affinity(dracula, &[(dracula, 1)]),
        affinity(persuasion, &[]),
        affinity(middlemarch, &[]),
        affinity(dracula, &[]),
    ];
    assert!(ranks.is_sorted_by(|left, right| left > right), "{ranks:?}");
}

#[test]
fn never_suggests_what_is_in_the_basket() {
    check(
        &["Book B", " book a "],
        &["the-time-machine", "emma", "treasure-island"],
    );
    for book in catalogue::books() {
        let suggested = choose(&[book.title, "Dracula"]);
        assert_eq!(suggested.len(), SUGGESTIONS);
        assert!(!suggested.contains(&book), "{} suggests itself", book.id);
    }
}

#[test]
fn unknown_titles_and_an_empty_basket_get_the_first_books() {
    let first = ["book-a", "book-b", "learning-python"];
    check(&["No Such Book"], &first);
    check(&[], &first);
}

#[test]
fn suggests_fewer_when_the_basket_has_almost_everything() {
    let titles: Vec<&str> = catalogue::books().iter().map(|book| book.title).collect();
    check(&titles, &[]);
    check(&titles[1..], &["book-a"]);
}
