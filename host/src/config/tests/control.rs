//! The service that is part of the host.

use super::*;

fn with_control(hosts: &str, services: &str) -> String {
    let base = BASE.replace("[[host]]", "control = true\n[[host]]");
    format!("{base}{hosts}{services}")
}

#[test]
fn a_cluster_that_keeps_its_own_state_has_one_service_more() {
    let services = "[service.alpha]\nwasm = \"a.wasm\"\n[service.echo]\nwasm = \"e.wasm\"\n";
    let mut config = good(&with_control(BETA, services));
    let names = |config: &Config| -> Vec<String> {
        let services = config.services.iter();
        services.map(|service| service.name.to_string()).collect()
    };
    assert_eq!(names(&config), ["alpha", "control", "echo"]);
    let own: Vec<&str> = config.own_services().map(|it| it.name.as_str()).collect();
    assert_eq!(own, ["alpha", "echo"]);
    let control = config.service(builtin::CONTROL).expect("it is there");
    assert!(config.is_builtin(control));
    // An even number of hosts has no more than an odd one could lose.
    assert_eq!(control.hosts, [config.hosts[0].name.clone()]);
    let replicated = control.replicated.as_ref().expect("it is replicated");
    assert_eq!(replicated.replicas, 1);
    let name = |function: &str| crate::dispatch::FunctionName {
        interface: builtin::INTERFACE.into(),
        function: function.into(),
    };
    assert!(replicated.is_query(&name("current")) && replicated.is_query(&name("current-turn")));
    assert!(!replicated.is_query(&name("apply")) && !replicated.is_query(&name("report")));
    let file = control.wasm_path(Path::new("target"));
    assert_eq!(
        file.parent(),
        Some(Path::new("config/bookshop-data/builtin"))
    );
    config.keep_in(Path::new("/elsewhere"));
    let control = config.service(builtin::CONTROL).expect("it is there");
    assert_eq!(
        control.wasm_path(Path::new("target")).parent(),
        Some(Path::new("/elsewhere/builtin"))
    );
}

#[test]
fn its_name_is_taken_only_where_it_runs() {
    let service = "[service.control]\nwasm = \"c.wasm\"\n";
    let config = good(&format!("{BASE}{service}"));
    let control = config.service("control").expect("it is there");
    assert!(!config.is_builtin(control));
    check_text(
        &with_control("", service),
        expect![
            "c:10:10: service.control: with cluster.control = true the host itself has a service of this name; give this one another"
        ],
    );
}
