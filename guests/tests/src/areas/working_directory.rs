use std::path::Path;
use std::{env, fs};

/// Expects to be started in `/tmp/work`, where it is alone, without having asked for it: plain
/// programs do not.
pub fn relative() {
    assert_eq!(env::current_dir().unwrap(), Path::new("/tmp/work"));
    fs::write("here", b"1").unwrap();
    assert_eq!(fs::read("/tmp/work/here").unwrap(), b"1");
    assert_eq!(fs::read("./here").unwrap(), b"1");
    assert_eq!(fs::read("../work/here").unwrap(), b"1");
    assert!(fs::metadata("/here").is_err());
    // What is absolute stays so, whether or not the same lies below.
    fs::create_dir_all("tmp/work").unwrap();
    fs::write("tmp/work/here", b"2").unwrap();
    assert_eq!(fs::read("/tmp/work/here").unwrap(), b"1");
    assert_eq!(fs::read("tmp/work/here").unwrap(), b"2");
    fs::write("/absolute", b"3").unwrap();
    assert!(fs::metadata("absolute").is_err());
    let entries = fs::read_dir(".").unwrap();
    assert_eq!(entries.count(), 2);
}

pub fn changed() {
    fs::create_dir("below").unwrap();
    env::set_current_dir("below").unwrap();
    assert_eq!(env::current_dir().unwrap(), Path::new("/tmp/work/below"));
    fs::write("file", b"1").unwrap();
    assert_eq!(fs::read("/tmp/work/below/file").unwrap(), b"1");
    assert_eq!(fs::read("../below/file").unwrap(), b"1");
    env::set_current_dir("/").unwrap();
    assert_eq!(fs::read("tmp/work/below/file").unwrap(), b"1");
    assert!(env::set_current_dir("/none").is_err());
    env::set_current_dir(env::var("PWD").unwrap()).unwrap();
    assert_eq!(fs::read("below/file").unwrap(), b"1");
}
