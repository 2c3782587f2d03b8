//! What was called before a return address, written down.
//!
//! An image whose code is at hand is simply decoded there. An index holds no code of callers; it holds the calls
//! that can tell the owners of a fixup apart, sorted by return address.

use crate::base::addr::{LinkAddr, RetAddr};
use crate::base::column::{Column, Group, GroupWriter, TABLE_COLUMNS};
use crate::base::table::Table;
use crate::formats::insn::CallBefore;

/// Stands for a call through a register or memory.
const INDIRECT: u32 = u32::MAX;
/// With this bit set, the rest is the row of a list: its length, then its targets.
const LIST: u32 = 1 << 31;

/// Calls by return address.
#[derive(Clone, Debug, Default)]
pub struct CallSites<'d> {
    returns: Table<'d>,
    /// Target as bytes from the base, [`INDIRECT`] or [`LIST`].
    targets: Column<'d>,
    lists: Column<'d>,
}

impl<'d> CallSites<'d> {
    /// Reads what [`CallSites::pack`] wrote.
    pub(crate) fn new(group: Group<'d>) -> Option<Self> {
        let sites = CallSites {
            returns: group.table()?,
            targets: group.column(TABLE_COLUMNS)?,
            lists: group.column(TABLE_COLUMNS + 1)?,
        };
        (sites.returns.len() == sites.targets.len()).then_some(sites)
    }

    /// Packs `sites` (sorted by return address); those more than 2 GiB from `base` are left out.
    pub(crate) fn pack(base: u64, sites: &[(RetAddr<LinkAddr>, CallBefore)]) -> GroupWriter {
        let near = |at: &LinkAddr| {
            let offset = u32::try_from(at.0.checked_sub(base)?).ok()?;
            (offset < LIST).then_some(offset)
        };
        let (mut returns, mut targets, mut lists) = (Vec::new(), Vec::new(), Vec::new());
        for (ret, call) in sites {
            let target = match call {
                CallBefore::None => None,
                CallBefore::Indirect => Some(INDIRECT),
                CallBefore::Direct(all) => match &all[..] {
                    [one] => near(one),
                    several => several
                        .iter()
                        .map(near)
                        .collect::<Option<Vec<_>>>()
                        .map(|all| {
                            let row = lists.len() as u32;
                            lists.push(all.len() as u32);
                            lists.extend(all);
                            LIST | row
                        }),
                },
            };
            if let (Some(ret), Some(target)) = (near(&ret.0), target) {
                returns.push(ret);
                targets.push(target);
            }
        }
        let mut group = GroupWriter::table(&Table::new(base, returns).unwrap_or_default());
        group.column(&targets).column(&lists);
        group
    }

    /// Number of calls.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// All return addresses, in order.
    pub(crate) fn returns(&self) -> impl Iterator<Item = RetAddr<LinkAddr>> + '_ {
        self.returns.addresses().map(|at| RetAddr(LinkAddr(at)))
    }

    /// What was called before `ret`; `None` when that is not written down.
    pub(crate) fn before(&self, ret: RetAddr<LinkAddr>) -> Option<CallBefore> {
        let row = self.returns.find(ret.0.0)?;
        if self.returns.address(row)? != ret.0.0 {
            return None;
        }
        let at = |offset: u32| LinkAddr(self.returns.base().wrapping_add(offset.into()));
        Some(match self.targets.get(row)? {
            INDIRECT => CallBefore::Indirect,
            one if one & LIST == 0 => CallBefore::Direct(vec![at(one)]),
            list => {
                let row = (list ^ LIST) as usize;
                let len = self.lists.get(row)? as usize;
                let all = (row + 1..=row.checked_add(len)?).map_while(|r| self.lists.get(r));
                CallBefore::Direct(all.map(at).collect())
            }
        })
    }
}
