//! A disk that gets full: a whole host on real files, behind a disk that can be told to have no more room.

use crate::cluster::{KEEPER, replicated, until};
use crate::hostile_host::neighbour;
use crate::paths;
use crate::test_host::cluster_file;
use bookshop_host::call_error::CallError;
use bookshop_host::certificates;
use bookshop_host::client::{CallOptions, Client, ClientError};
use bookshop_host::config::Config;
use bookshop_host::host::{self, Host};
use bookshop_host::os::block::RealBlockDisk;
use bookshop_host::os::{BlockDisk, BlockFile, Os};
use bookshop_host::parent::Parent;
use serde_json::{Value, json};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The machine's disk, on which no file is made and none gets longer while it is full.
#[derive(Clone)]
struct SmallDisk {
    is_full: Arc<AtomicBool>,
}

struct SmallFile {
    file: Arc<dyn BlockFile>,
    disk: SmallDisk,
}

impl SmallDisk {
    fn check_room(&self) -> io::Result<()> {
        if self.is_full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn wrap(&self, file: Arc<dyn BlockFile>) -> Arc<dyn BlockFile> {
        Arc::new(SmallFile {
            file,
            disk: self.clone(),
        })
    }
}

impl BlockDisk for SmallDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn BlockFile>> {
        Ok(self.wrap(RealBlockDisk.open(path)?))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn BlockFile>> {
        self.check_room()?;
        Ok(self.wrap(RealBlockDisk.create(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealBlockDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealBlockDisk.remove(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        RealBlockDisk.list(folder)
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        RealBlockDisk.create_folder(folder)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        RealBlockDisk.sync_folder(folder)
    }
}

impl SmallFile {
    fn grow(&self, length: u64) -> io::Result<()> {
        if length > self.file.len()? {
            self.disk.check_room()?;
        }
        Ok(())
    }
}

impl BlockFile for SmallFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.grow(length)?;
        self.file.set_len(length)
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.grow(length)?;
        self.file.allocate(length)
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, bytes)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.grow(offset + bytes.len() as u64)?;
        self.file.write_at(offset, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}

async fn start(name: &str, disk: &SmallDisk) -> (Host, Client) {
    let queries = ["fixture:hostile/keeper.length"];
    let more = r#"limits = { storage = "512MiB" }"#;
    let section = replicated("keeper", "fixture-keeper", name, &queries, more);
    let file = cluster_file(name, &(section + &neighbour()))
        .replace("workers = 1", "workers = 1\ncheckpoint-interval = \"1s\"");
    let config = Config::parse(Path::new("test.toml"), &file).expect("the configuration is right");
    let os = Os {
        blocks: Arc::new(disk.clone()),
        ..Os::real()
    };
    certificates::prepare(&config, &os).expect("certificates can be made");
    let options = host::Options {
        config: Arc::new(config),
        name: name.to_owned(),
        program: paths::program(),
        parent: Parent::none(),
        os: os.clone(),
    };
    let host = host::start(options).await.expect("the host starts");
    let client = Client::connect(host.api, &os).await;
    (host, client.expect("the host listens"))
}

async fn fill(client: &Client, number: u32) -> Result<Value, ClientError> {
    let arguments = json!([format!("key {number}"), 500_000]);
    let options = CallOptions::default();
    client
        .call_json("keeper", "fill", &arguments, &options)
        .await
}

async fn length(client: &Client, number: u32) -> Value {
    let arguments = json!([format!("key {number}")]);
    let options = CallOptions::default();
    let length = client
        .call_json("keeper", "length", &arguments, &options)
        .await;
    length.expect("queries go on")
}

/// More calls than fit into the log's segment and its spare.
const CALLS_MAX: u32 = 400;

#[tokio::test]
async fn a_full_disk_refuses_commands_and_answers_queries_until_there_is_room() {
    let disk = SmallDisk {
        is_full: Arc::default(),
    };
    let name = paths::unique(KEEPER);
    let (host, client) = start(&name, &disk).await;
    fill(&client, 0).await.expect("there is room");
    disk.is_full.store(true, Ordering::SeqCst);
    let mut kept = 1;
    let refused = loop {
        assert!(kept < CALLS_MAX, "the disk never gets full");
        match fill(&client, kept).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    let ClientError::Refused(CallError::Unavailable {
        message,
        maybe_executed,
        ..
    }) = refused
    else {
        panic!("{refused:?}");
    };
    assert!(
        message.contains("the disk of its host is full"),
        "{message}"
    );
    assert!(!maybe_executed, "what was refused was not executed");
    assert_eq!(length(&client, kept).await, Value::Null);
    for number in 0..kept {
        assert_eq!(length(&client, number).await, 500_000);
    }
    disk.is_full.store(false, Ordering::SeqCst);
    until("commands are taken again", async || {
        fill(&client, kept).await.ok()
    })
    .await;
    assert_eq!(host.stop().await, 0);

    let (host, client) = start(&name, &disk).await;
    for number in 0..=kept {
        assert_eq!(length(&client, number).await, 500_000, "key {number}");
    }
    assert_eq!(length(&client, kept + 1).await, Value::Null);
    assert_eq!(host.stop().await, 0);
    paths::remove_kept(&paths::data().join(name));
}
