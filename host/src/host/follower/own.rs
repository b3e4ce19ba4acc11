//! The file that this host was started with, as it is now.

use super::{FollowError, Follower};
use crate::control::components::digests;
use crate::control::registry::Component;
use crate::os::task;
use std::io;
use std::sync::Arc;

impl Follower {
    /// The text of the file that this host was started with, and the components that it names.
    pub(super) async fn own(&self) -> Result<(String, Vec<Component>), FollowError> {
        let text = self.own_text().await?;
        let (file, target, os) = (Arc::clone(&self.file), self.target.clone(), self.os.clone());
        let components = task::blocking(move || digests(&file, &target, &os)).await??;
        Ok((text, components))
    }

    pub(super) async fn own_text(&self) -> Result<String, FollowError> {
        let (path, disk) = (self.file.path.clone(), Arc::clone(&self.os.disk));
        let read = task::blocking(move || disk.read(&path)).await?;
        let text = read.and_then(|text| {
            let text = String::from_utf8(text);
            text.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
        });
        text.map_err(|source| FollowError::File {
            file: self.file.path.display().to_string(),
            source,
        })
    }
}
