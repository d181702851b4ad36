//! Calls about paths.

use std::sync::Arc;

use wasmtime::component::Resource;

use super::types::{DescriptorFlags, NewTimestamp, OpenFlags, PathFlags};
use super::working_directory::{Intent, meant};
use super::{Descriptor, FsResult, convert};
use crate::component::state::Host;
use crate::fs::OpenOptions;
use crate::wasi::shared::{FileStat, OpenRequest, Place, masked, open_at, stat_at};

/// Whether a link at the end of a path is followed.
fn follows(flags: PathFlags) -> bool {
    flags.contains(PathFlags::SYMLINK_FOLLOW)
}

impl Host<'_> {
    /// `path` seen from the directory that `descriptor` is.
    pub(super) fn place<'p>(
        &self,
        descriptor: &Resource<Descriptor>,
        path: &'p str,
        intent: Intent,
    ) -> FsResult<Place<'p>> {
        let directory = self.table.get(descriptor)?;
        let path = if directory.given {
            let image = self.process.image();
            meant(&self.files().lock(), &image.cwd, path, intent)
        } else {
            path.into()
        };
        Ok(Place::new(directory.description.clone(), path)?)
    }

    pub(super) fn caller(&self) -> crate::fs::Caller {
        self.process.machine.caller(self.process.user)
    }

    fn files(&self) -> &Arc<crate::kernel::Files> {
        &self.process.machine.files
    }

    pub(super) fn open(
        &mut self,
        descriptor: &Resource<Descriptor>,
        path_flags: PathFlags,
        path: &str,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        let intent = match open.contains(OpenFlags::CREATE) {
            true => Intent::Make,
            false => Intent::Use,
        };
        let place = self.place(descriptor, path, intent)?;
        let request = self.open_request(follows(path_flags), open, flags);
        let description = open_at(self.process, &place, request)?;
        self.push(description, false)
    }

    fn open_request(&self, follow: bool, open: OpenFlags, flags: DescriptorFlags) -> OpenRequest {
        // Libraries ask for every right on a directory: that means no writing.
        let directory = open.contains(OpenFlags::DIRECTORY);
        let write = flags.contains(DescriptorFlags::WRITE) && !directory;
        let truncate = open.contains(OpenFlags::TRUNCATE);
        OpenRequest {
            options: OpenOptions {
                read: flags.contains(DescriptorFlags::READ) || !write,
                write: write || truncate,
                append: false,
                create: open.contains(OpenFlags::CREATE),
                exclusive: open.contains(OpenFlags::EXCLUSIVE),
                truncate,
                directory,
                no_follow: !follow,
                mode: masked(self.process, 0o666),
            },
            write,
            flags: 0,
        }
    }

    pub(super) fn stat_path(
        &self,
        descriptor: &Resource<Descriptor>,
        flags: PathFlags,
        path: &str,
    ) -> FsResult<FileStat> {
        let place = self.place(descriptor, path, Intent::Use)?;
        Ok(stat_at(self.process, &place, follows(flags))?)
    }

    pub(super) fn set_path_times(
        &mut self,
        descriptor: &Resource<Descriptor>,
        flags: PathFlags,
        path: &str,
        (accessed, modified): (NewTimestamp, NewTimestamp),
    ) -> FsResult<()> {
        let place = self.place(descriptor, path, Intent::Use)?;
        let by = self.caller();
        let accessed = convert::file_time(accessed, by.now)?;
        let modified = convert::file_time(modified, by.now)?;
        let mut files = self.files().lock();
        files.set_times(place.at()?, follows(flags), accessed, modified, by)?;
        Ok(())
    }

    pub(super) fn make_directory(
        &mut self,
        descriptor: &Resource<Descriptor>,
        path: &str,
    ) -> FsResult<()> {
        let place = self.place(descriptor, path, Intent::Make)?;
        let mode = masked(self.process, 0o777);
        self.files()
            .lock()
            .make_dir(place.at()?, mode, self.caller())?;
        Ok(())
    }

    pub(super) fn remove_directory(
        &mut self,
        descriptor: &Resource<Descriptor>,
        path: &str,
    ) -> FsResult<()> {
        let place = self.place(descriptor, path, Intent::Use)?;
        self.files().lock().remove_dir(place.at()?, self.caller())?;
        Ok(())
    }

    pub(super) fn unlink(&mut self, descriptor: &Resource<Descriptor>, path: &str) -> FsResult<()> {
        let place = self.place(descriptor, path, Intent::Use)?;
        self.files().lock().unlink(place.at()?, self.caller())?;
        Ok(())
    }

    pub(super) fn link(
        &mut self,
        (old, flags, old_path): (&Resource<Descriptor>, PathFlags, &str),
        (new, new_path): (&Resource<Descriptor>, &str),
    ) -> FsResult<()> {
        let old = self.place(old, old_path, Intent::Use)?;
        let new = self.place(new, new_path, Intent::Make)?;
        let mut files = self.files().lock();
        files.link(old.at()?, follows(flags), new.at()?, self.caller())?;
        Ok(())
    }

    pub(super) fn rename(
        &mut self,
        (old, old_path): (&Resource<Descriptor>, &str),
        (new, new_path): (&Resource<Descriptor>, &str),
    ) -> FsResult<()> {
        let old = self.place(old, old_path, Intent::Use)?;
        let new = self.place(new, new_path, Intent::Make)?;
        let mut files = self.files().lock();
        files.rename(old.at()?, new.at()?, self.caller())?;
        Ok(())
    }

    pub(super) fn symlink(
        &mut self,
        text: &str,
        descriptor: &Resource<Descriptor>,
        path: &str,
    ) -> FsResult<()> {
        let place = self.place(descriptor, path, Intent::Make)?;
        let mut files = self.files().lock();
        files.symlink(text, place.at()?, self.caller())?;
        Ok(())
    }

    pub(super) fn read_link(
        &mut self,
        descriptor: &Resource<Descriptor>,
        path: &str,
    ) -> FsResult<String> {
        let place = self.place(descriptor, path, Intent::Use)?;
        let text = self.files().lock().read_link(place.at()?)?;
        Ok(text.to_string())
    }
}
