use super::*;
use expect_test::expect;

#[test]
fn a_service_that_is_not_there_is_answered_with_those_that_are() {
    let text = r#"
        [cluster]
        name = "shop"
        [[host]]
        name = "alpha"
        http = "127.0.0.1:1"
        peer = "127.0.0.1:2"
        api = "127.0.0.1:3"
        admin = "127.0.0.1:4"
        [service.payment]
        wasm = "payment.wasm"
        [service.audit]
        wasm = "audit.wasm"
    "#;
    let config = Config::parse(Path::new("config/shop.toml"), text).expect("a configuration");
    let names = |services: Option<&[String]>| choose(&config, services).map(|chosen| chosen.len());
    assert_eq!(names(None).expect("all"), 2);
    assert_eq!(names(Some(&["audit".to_owned()])).expect("one"), 1);
    let error = names(Some(&["adit".to_owned()])).expect_err("none");
    expect!["no service adit in the configuration; it has audit, payment"]
        .assert_eq(&error.to_string());
}
