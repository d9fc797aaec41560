use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use super::*;

/// What a file, the environment and flags make of the settings.
fn load(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Settings, String> {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let path = home.path().join(FILE_NAME);
    std::fs::write(&path, file).expect("it can be written to");
    let environment = environment.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let flags: Vec<_> = flags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Settings::load(home.path(), environment, &flags).map_err(|error| error.to_string().replace(&path.display().to_string(), "FILE"))
}

fn refusal(file: &str) -> String {
    load(file, &[], &[]).expect_err("the settings are refused")
}

#[test]
fn defaults_need_no_file() {
    let nowhere = tempfile::tempdir().unwrap();
    let settings = Settings::load(nowhere.path(), [], &[]).unwrap();
    assert_eq!(settings, Settings::default());
    assert_eq!(settings.server.bind_address.to_string(), "127.0.0.1:11434");
    assert_eq!(settings.engine.step_target, Duration::from_millis(250));
    assert_eq!(settings.server.body_limit, ByteSize(32 << 20));
    assert_eq!(settings.models.path, None);
    assert_eq!(settings.models.aliases["qwen-local"], Models::DEFAULT);
    assert_eq!(settings.server.session_timeout(), Duration::from_secs(1800));
}

#[test]
fn default_toml_and_what_is_shown_have_the_same_keys_and_values() {
    let shown = Settings::default().to_toml();
    let layer = Layer::toml(&shown).unwrap();
    let texts = |layer: &Layer| layer.values().into_iter().map(|(key, value)| (key, value.to_string())).collect::<BTreeMap<_, _>>();
    let (mut shown, mut defaults) = (texts(&layer), texts(&Layer::defaults()));
    assert_eq!(shown.keys().collect::<Vec<_>>(), defaults.keys().collect::<Vec<_>>());
    // The same spans of time in other units.
    for key in ["server.session_cleanup_interval", "turn.slow_client", "supervision.window", "supervision.retry_failed"] {
        assert_eq!((shown.remove(key).as_deref(), defaults.remove(key).as_deref()), (Some("1m"), Some("60s")), "{key}");
    }
    assert_eq!(shown, defaults);
}

#[test]
fn later_places_win() {
    let file = "[server]\nmax_sessions = 5\nping_interval = \"5s\"\n[turn]\ndeadline = \"1h 30m\"\n[admission]\nmax_turns = 7";
    let environment =
        [("SHAMMAH__SERVER__MAX_SESSIONS", "6"), ("SHAMMAH__ADMISSION__MAX_TURNS", "8"), ("SHAMMAH_HOME", "/x"), ("PATH", "")];
    let settings = load(file, &environment, &[("admission.max_turns", "9")]).unwrap();
    assert_eq!((settings.server.max_sessions, settings.admission.max_turns), (6, 9));
    assert_eq!((settings.server.ping_interval, settings.turn.deadline), (Duration::from_secs(5), Duration::from_secs(5400)));
    assert_eq!(settings.turn.max_attempts, 3);
}

#[test]
fn aliases_are_added() {
    let settings = load("[models.aliases]\n\"gpt-5.5\" = \"qwen\"\nmine = \"qwen\"", &[], &[("models.aliases.o.3", "qwen")]).unwrap();
    let aliases = &settings.models.aliases;
    assert_eq!([&aliases["gpt-5.5"], &aliases["mine"], &aliases["o.3"], &aliases["default"]], ["qwen", "qwen", "qwen", "default"]);
    assert!(load("[models.aliases]", &[], &[]).is_ok());
    assert_eq!(refusal("[models.aliases]\nmine = \"\""), "`models.aliases` is empty at \"mine\", but it must name a model for each alias");
}

#[test]
fn unknown_keys_are_refused_with_what_was_meant() {
    let meant = "unknown setting `server.bind_adress` in FILE; did you mean `server.bind_address`?";
    assert_eq!(refusal("[server]\nbind_adress = \"127.0.0.1:1\""), meant);
    assert_eq!(refusal("colour = 1"), "unknown setting `colour` in FILE");
    assert_eq!(refusal("[extras]"), "unknown setting `extras` in FILE");
    let variable = load("", &[("SHAMMAH__ENGINE__MAX_BACH", "2")], &[]).unwrap_err();
    let meant = "unknown setting `engine.max_bach` in the environment variable SHAMMAH__ENGINE__MAX_BACH; did you mean `engine.max_batch`?";
    assert_eq!(variable, meant);
    let flag = load("", &[], &[("log.levle", "info")]).unwrap_err();
    assert_eq!(flag, "unknown setting `log.levle` in a command-line flag; did you mean `log.level`?");
    assert!(load("[server]", &[], &[]).is_ok());
}

#[test]
fn values_of_the_wrong_type_are_refused_with_their_place() {
    assert_eq!(refusal("[server]\nmax_sessions = \"many\""), "`server.max_sessions` cannot be `many` as in FILE: expected an integer");
    assert!(refusal("[turn]\ndeadline = \"30 parsecs\"").starts_with("`turn.deadline` cannot be `30 parsecs` as in FILE: "));
    assert!(refusal("[turn]\ndeadline = 30").starts_with("`turn.deadline` cannot be `30` as in FILE: "));
    let size = "`server.body_limit` cannot be `big` as in FILE: a size is a whole number with a unit, such as \"32MiB\"";
    assert_eq!(refusal("[server]\nbody_limit = \"big\""), size);
    let level = load("", &[("SHAMMAH__LOG__LEVEL", "loud")], &[]).unwrap_err();
    assert!(level.starts_with("`log.level` cannot be `loud` as in the environment variable SHAMMAH__LOG__LEVEL: "), "{level}");
    assert!(refusal("[server]\nbind_address = \"localhost\"").starts_with("`server.bind_address` cannot be `localhost` as in FILE: "));
    assert!(refusal("\n[server").starts_with("FILE cannot be read: line 2: "));
}

#[test]
fn values_out_of_range_are_refused_with_the_range() {
    let sessions = "`server.max_sessions` is 0, but it must be between 1 and 1000000";
    assert_eq!(refusal("[server]\nmax_sessions = 0"), sessions);
    assert_eq!(refusal("[turn]\ndeadline = \"1ms\""), "`turn.deadline` is 1ms, but it must be between 1s and 24h");
    assert_eq!(refusal("[engine]\nkv_memory = \"99%\""), "`engine.kv_memory` is 99, but it must be between 1 and 90");
    assert_eq!(refusal("[server]\nbody_limit = \"1B\""), "`server.body_limit` is 1B, but it must be between 1KiB and 1GiB");
}

#[test]
fn an_open_door_needs_a_key() {
    let open = ("server.bind_address", "0.0.0.0:80");
    let refused = load("", &[], &[open]).unwrap_err();
    let sentence =
        "`server.bind_address` is 0.0.0.0:80, which other machines can reach: set `server.auth_enabled` and `server.api_keys` first";
    assert_eq!(refused, sentence);
    let refused = load("", &[], &[open, ("server.auth_enabled", "true")]).unwrap_err();
    assert_eq!(refused, "`server.api_keys` is empty, but it must hold a key when `server.auth_enabled` is true");
    let keys = [("SHAMMAH__SERVER__API_KEYS", "12345678, secret-two")];
    let settings = load("", &keys, &[open, ("server.auth_enabled", "true")]).unwrap();
    let exposed: Vec<_> = settings.server.api_keys.iter().map(ApiKey::expose).collect();
    assert_eq!(exposed, ["12345678", "secret-two"]);
    assert_eq!(settings.server.resolve(settings.models.unknown), UnknownName::Refuse);
    assert_eq!(Settings::default().server.resolve(UnknownName::Auto), UnknownName::Default);
    for text in [settings.to_toml(), format!("{settings:?}")] {
        assert!(!text.contains("12345678") && !text.contains("secret-two"), "{text}");
    }
}

#[test]
fn secrets_stay_out_of_errors() {
    for file in [
        "[server]\napi_keys = [\"pass word\"]",
        "[server]\napi_keys = { a = \"pass word\" }",
        "[server]\napi_keys = [[\"pass word\"]]",
        "[server]\napi_keys = \"pass word",
    ] {
        let refused = refusal(file);
        assert!(!refused.contains("pass word"), "{refused}");
    }
}
