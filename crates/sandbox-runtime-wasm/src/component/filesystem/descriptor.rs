//! `wasi:filesystem/types.descriptor`.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use wasmtime::Result as HostResult;
use wasmtime::component::Resource;
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

use super::types::{
    Advice, DescriptorFlags, DescriptorStat, DescriptorType, HostDescriptor, MetadataHashValue,
    NewTimestamp, OpenFlags, PathFlags,
};
use super::{Descriptor, DirectoryEntries, FsResult, convert};
use crate::component::CHUNK_BYTES;
use crate::component::state::Host;
use crate::component::streams::{self, Cursor, Reader, Writer};
use crate::kernel::{Description, Errno, Object, OpenHandle};
use crate::wasi::shared::{FileStat, file_type, stat_of};

/// The largest offset in a file, as `off_t` has it.
const MAX_OFFSET: u64 = i64::MAX as u64;

/// An offset that a file can have.
fn offset(offset: u64) -> FsResult<u64> {
    if offset > MAX_OFFSET {
        return Err(Errno::INVAL.into());
    }
    Ok(offset)
}

fn writable_file(description: &Description) -> FsResult<&OpenHandle> {
    match &description.object {
        Object::File(handle) if description.write => Ok(handle),
        Object::File(_) => Err(Errno::BADF.into()),
        Object::Directory(_) => Err(Errno::ISDIR.into()),
        _ => Err(Errno::INVAL.into()),
    }
}

fn hash(stat: FileStat) -> MetadataHashValue {
    MetadataHashValue {
        lower: stat.inode,
        upper: stat.device,
    }
}

impl Host<'_> {
    fn writer(
        &mut self,
        descriptor: &Resource<Descriptor>,
        cursor: Cursor,
    ) -> FsResult<Resource<DynOutputStream>> {
        let description = self.description(descriptor)?.clone();
        if let Object::Directory(_) = description.object {
            return Err(Errno::ISDIR.into());
        }
        if !description.write {
            return Err(Errno::BADF.into());
        }
        let writer: DynOutputStream =
            Box::new(Writer::new(self.process, Some(description), cursor));
        Ok(self.table.push(writer)?)
    }
}

impl HostDescriptor for Host<'_> {
    fn read_via_stream(
        &mut self,
        descriptor: Resource<Descriptor>,
        at: u64,
    ) -> FsResult<Resource<DynInputStream>> {
        let description = self.description(&descriptor)?.clone();
        if let Object::Directory(_) = description.object {
            return Err(Errno::ISDIR.into());
        }
        if !description.read {
            return Err(Errno::BADF.into());
        }
        let reader: DynInputStream = Box::new(Reader::new(description, Cursor::At(offset(at)?)));
        Ok(self.table.push(reader)?)
    }

    fn write_via_stream(
        &mut self,
        descriptor: Resource<Descriptor>,
        at: u64,
    ) -> FsResult<Resource<DynOutputStream>> {
        self.writer(&descriptor, Cursor::At(offset(at)?))
    }

    fn append_via_stream(
        &mut self,
        descriptor: Resource<Descriptor>,
    ) -> FsResult<Resource<DynOutputStream>> {
        self.writer(&descriptor, Cursor::End)
    }

    /// Advice is checked and not needed: files are in memory.
    fn advise(
        &mut self,
        descriptor: Resource<Descriptor>,
        at: u64,
        _len: u64,
        _advice: Advice,
    ) -> FsResult<()> {
        match self.description(&descriptor)?.object {
            Object::File(_) => offset(at).map(|_| ()),
            Object::Directory(_) => Err(Errno::BADF.into()),
            _ => Err(Errno::SPIPE.into()),
        }
    }

    /// Nothing to do: what was written is where it is kept.
    fn sync_data(&mut self, descriptor: Resource<Descriptor>) -> FsResult<()> {
        let description = self.description(&descriptor)?;
        Ok(description.handle().map(|_| ()).ok_or(Errno::INVAL)?)
    }

    fn sync(&mut self, descriptor: Resource<Descriptor>) -> FsResult<()> {
        self.sync_data(descriptor)
    }

    fn get_flags(&mut self, descriptor: Resource<Descriptor>) -> FsResult<DescriptorFlags> {
        let description = self.description(&descriptor)?;
        // Rights are not narrowed here: what a process may do is its sandbox's to say.
        let directory = matches!(description.object, Object::Directory(_));
        let flags = [
            (DescriptorFlags::READ, description.read),
            (DescriptorFlags::WRITE, description.write),
            (DescriptorFlags::MUTATE_DIRECTORY, directory),
        ];
        let set = flags.into_iter().filter(|(_, set)| *set);
        let flags = set.fold(DescriptorFlags::empty(), |all, (flag, _)| all | flag);
        Ok(flags)
    }

    fn get_type(&mut self, descriptor: Resource<Descriptor>) -> FsResult<DescriptorType> {
        let object = &self.description(&descriptor)?.object;
        Ok(convert::descriptor_type(file_type(object)))
    }

    fn set_size(&mut self, descriptor: Resource<Descriptor>, size: u64) -> FsResult<()> {
        let by = self.caller();
        let handle = writable_file(self.description(&descriptor)?)?;
        handle
            .files()
            .lock()
            .set_len(handle.get(), offset(size)?, by)?;
        Ok(())
    }

    fn set_times(
        &mut self,
        descriptor: Resource<Descriptor>,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        let by = self.caller();
        let accessed = convert::file_time(accessed, by.now)?;
        let modified = convert::file_time(modified, by.now)?;
        let handle = self
            .description(&descriptor)?
            .handle()
            .ok_or(Errno::INVAL)?;
        let mut files = handle.files().lock();
        files.set_times_of(handle.get(), accessed, modified, by)?;
        Ok(())
    }

    fn read(
        &mut self,
        descriptor: Resource<Descriptor>,
        len: u64,
        at: u64,
    ) -> FsResult<(Vec<u8>, bool)> {
        let description = self.description(&descriptor)?;
        if description.is_stream() {
            return Err(Errno::SPIPE.into());
        }
        if !description.read {
            return Err(Errno::BADF.into());
        }
        let len = len.min(CHUNK_BYTES as u64) as usize;
        let mut buffer = vec![0; len];
        let mut cursor = Cursor::At(offset(at)?);
        let mut cx = Context::from_waker(Waker::noop());
        let count = match streams::read(description, &mut cursor, &mut cx, &mut buffer) {
            Poll::Ready(count) => count?,
            Poll::Pending => return Err(Errno::AGAIN.into()),
        };
        buffer.truncate(count);
        Ok((buffer, count == 0 && len > 0))
    }

    fn write(
        &mut self,
        descriptor: Resource<Descriptor>,
        bytes: Vec<u8>,
        at: u64,
    ) -> FsResult<u64> {
        let description = self.description(&descriptor)?;
        if description.is_stream() {
            return Err(Errno::SPIPE.into());
        }
        if bytes.is_empty() {
            return Ok(0);
        }
        let mut cursor = Cursor::At(offset(at)?);
        let mut cx = Context::from_waker(Waker::noop());
        match streams::write(description, (self.process, &mut cursor), &mut cx, &bytes) {
            Poll::Ready(count) => Ok(count? as u64),
            Poll::Pending => Err(Errno::AGAIN.into()),
        }
    }

    fn read_directory(
        &mut self,
        descriptor: Resource<Descriptor>,
    ) -> FsResult<Resource<DirectoryEntries>> {
        self.read_entries(&descriptor)
    }

    fn create_directory_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        path: String,
    ) -> FsResult<()> {
        self.make_directory(&descriptor, &path)
    }

    fn stat(&mut self, descriptor: Resource<Descriptor>) -> FsResult<DescriptorStat> {
        Ok(stat_of(self.description(&descriptor)?)?.into())
    }

    fn stat_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
    ) -> FsResult<DescriptorStat> {
        Ok(self.stat_path(&descriptor, flags, &path)?.into())
    }

    fn set_times_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        self.set_path_times(&descriptor, flags, &path, (accessed, modified))
    }

    fn link_at(
        &mut self,
        old: Resource<Descriptor>,
        flags: PathFlags,
        old_path: String,
        new: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        self.link((&old, flags, &old_path), (&new, &new_path))
    }

    fn open_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        self.open(&descriptor, path_flags, &path, open, flags)
    }

    fn readlink_at(&mut self, descriptor: Resource<Descriptor>, path: String) -> FsResult<String> {
        self.read_link(&descriptor, &path)
    }

    fn remove_directory_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        path: String,
    ) -> FsResult<()> {
        self.remove_directory(&descriptor, &path)
    }

    fn rename_at(
        &mut self,
        old: Resource<Descriptor>,
        old_path: String,
        new: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        self.rename((&old, &old_path), (&new, &new_path))
    }

    fn symlink_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        text: String,
        path: String,
    ) -> FsResult<()> {
        self.symlink(&text, &descriptor, &path)
    }

    fn unlink_file_at(&mut self, descriptor: Resource<Descriptor>, path: String) -> FsResult<()> {
        self.unlink(&descriptor, &path)
    }

    fn is_same_object(
        &mut self,
        one: Resource<Descriptor>,
        two: Resource<Descriptor>,
    ) -> HostResult<bool> {
        let one = &self.table.get(&one)?.description;
        let two = &self.table.get(&two)?.description;
        if Arc::ptr_eq(one, two) {
            return Ok(true);
        }
        // Pipes and their like have no number of their own.
        let number = |description: &Description| {
            let stat = stat_of(description).ok()?;
            (stat.inode != 0).then_some((stat.device, stat.inode))
        };
        Ok(number(one).is_some() && number(one) == number(two))
    }

    fn metadata_hash(&mut self, descriptor: Resource<Descriptor>) -> FsResult<MetadataHashValue> {
        Ok(hash(stat_of(self.description(&descriptor)?)?))
    }

    fn metadata_hash_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        Ok(hash(self.stat_path(&descriptor, flags, &path)?))
    }

    fn drop(&mut self, descriptor: Resource<Descriptor>) -> HostResult<()> {
        let closed = self.table.delete(descriptor)?;
        self.forget_descriptor();
        drop(closed);
        Ok(())
    }
}
