use std::path::Path;

use fixtrace::low::base::addr::LinkAddr;
use fixtrace::low::formats::image::Storage;
use fixtrace::low::world::index;

use crate::Result;
use crate::sink::Sink;

/// The source lines of a fixtrace index. Everything is borrowed from a storage that lives as long as the program.
pub struct Index(fixtrace::low::world::image::Image<'static>);

impl Index {
    pub fn open(path: &str) -> Result<Self> {
        let storage: &'static Storage = Box::leak(Box::new(Storage::new()));
        Ok(Index(index::open(Path::new(path), storage)?))
    }

    /// All addresses in one call.
    pub fn answer(&self, addresses: &[u64], sink: &mut Sink) -> Result<()> {
        let lines = self.0.lines()?.ok_or("no source lines in the index")?;
        let addresses: Vec<LinkAddr> = addresses.iter().copied().map(LinkAddr).collect();
        lines.each(&addresses, |_, chain| {
            for call in chain {
                sink.frame(call.function.as_deref(), None, call.file.as_deref(), call.line);
            }
            sink.end();
        });
        Ok(())
    }
}
