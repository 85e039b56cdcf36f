//! The root file system: assembled where nobody sees it, then exchanged for the host's.

use super::mounts::set_propagation;
use crate::spec::{Propagation, Root, Spec, Syncing};
use base::tree::Tree;
use base::{Context, Result};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, fsconfig_create,
    fsconfig_set_fd, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree, unmount,
};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use sys::mount::{Attributes, Depth};

/// Cuts this mount namespace off from the one that it was copied from, makes the root file system and puts it over the host's.
///
/// Until [`enter`], paths still are the host's.
pub(super) fn attach(root: &Root, propagation: Propagation) -> Result<Tree> {
    let mount = match root {
        Root::Overlay { lower, upper, work, syncing } => {
            let layers = Layers::open(lower, upper, work, *syncing)?;
            layers.mount().context("mount the root file system")?
        }
        Root::Directory(path) => directory(path, propagation)?,
    };
    let host = rustix::fs::open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .context("open the host's root")?;
    // What is mounted and unmounted from here on is nobody else's.
    sys::mount::set_propagation(host.as_fd(), sys::mount::Propagation::Private, Depth::Recursive)
        .context("make the mounts private")?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(&mount, "", &host, "", flags).context("attach the root file system")?;
    Ok(Tree::new(mount))
}

/// Makes the root file system this process's, and lets go of the host's.
pub(super) fn enter(spec: &Spec, root: &Tree) -> Result<()> {
    if spec.read_only_root {
        sys::mount::set_attributes(root.as_fd(), Attributes::READ_ONLY, Depth::Single)
            .context("make the root file system read-only")?;
    }
    rustix::process::fchdir(root).context("go to the root file system")?;
    // The old root ends up on top of the new one, where it is taken away (pivot_root(2), NOTES).
    rustix::process::pivot_root(".", ".").context("change the root")?;
    unmount(".", UnmountFlags::DETACH).context("unmount the host's file systems")?;
    rustix::process::chdir("/").context("go to /")?;
    match spec.root_propagation {
        Propagation::Private | Propagation::Rprivate => Ok(()),
        other => set_propagation(root.as_fd(), other).context("set the root's propagation"),
    }
}

fn directory(path: &Path, propagation: Propagation) -> Result<OwnedFd> {
    let what = || format!("mount root directory {}", path.display());
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    let mount = open_tree(CWD, path, flags).with_context(what)?;
    let before_pivot = match propagation {
        // A shared mount cannot become the root; it is shared again later.
        Propagation::Slave | Propagation::Rslave => Propagation::Rslave,
        _ => Propagation::Rprivate,
    };
    set_propagation(mount.as_fd(), before_pivot).with_context(what)?;
    Ok(mount)
}

/// How the kernel of this machine takes directories of an overlay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Naming {
    /// As descriptors (Linux 6.13).
    Descriptors,
    /// One by one, by a name for the descriptor (Linux 6.5).
    Names,
    /// All lower ones in one string, which ends at a page.
    Together,
}

/// What an overlay is made of.
struct Layers {
    /// Topmost first.
    lower: Vec<OwnedFd>,
    upper: OwnedFd,
    work: OwnedFd,
    syncing: Syncing,
}

impl Layers {
    fn open(lower: &[std::path::PathBuf], upper: &Path, work: &Path, syncing: Syncing) -> Result<Self> {
        let lower = lower.iter().map(|path| open(path)).collect::<Result<Vec<_>>>()?;
        Ok(Self { lower, upper: open(upper)?, work: open(work)?, syncing })
    }

    fn mount(&self) -> Result<OwnedFd> {
        for naming in [Naming::Descriptors, Naming::Names] {
            match self.mount_with(naming) {
                // Unknown to this kernel; one before 6.13 takes no O_PATH descriptor.
                Err(error) if matches!(error.errno(), Some(Errno::INVAL | Errno::BADF)) => {}
                outcome => return outcome,
            }
        }
        self.mount_with(Naming::Together)
    }

    fn mount_with(&self, naming: Naming) -> Result<OwnedFd> {
        let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).context("open overlayfs")?;
        let context = context.as_fd();
        fsconfig_set_string(context, "source", "overlay").context("name the overlay")?;
        if naming == Naming::Together {
            let names: Vec<String> = self.lower.iter().map(|layer| name_of(layer.as_fd())).collect();
            fsconfig_set_string(context, "lowerdir", names.join(":")).context("set the layers")?;
        } else {
            self.lower.iter().try_for_each(|layer| set_directory(context, "lowerdir+", layer.as_fd(), naming))?;
        }
        set_directory(context, "upperdir", self.upper.as_fd(), naming)?;
        set_directory(context, "workdir", self.work.as_fd(), naming)?;
        // An index would refuse the upper directory while the last mount of it is on its way out.
        fsconfig_set_string(context, "index", "off").context("switch the index off")?;
        if self.syncing == Syncing::Never {
            fsconfig_set_flag(context, "volatile").context("switch syncs off")?;
        }
        fsconfig_create(context).context("make the overlay")?;
        fsmount(context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).context("mount the overlay")
    }
}

fn set_directory(context: BorrowedFd<'_>, key: &str, directory: BorrowedFd<'_>, naming: Naming) -> Result<()> {
    match naming {
        Naming::Descriptors => fsconfig_set_fd(context, key, directory),
        Naming::Names | Naming::Together => fsconfig_set_string(context, key, name_of(directory)),
    }
    .with_context(|| format!("set {key}"))
}

fn name_of(descriptor: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", descriptor.as_raw_fd())
}

fn open(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).with_context(|| format!("open {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::tree::Links;

    /// As root: what older kernels are told works on newer ones too.
    #[test]
    fn every_way_to_name_directories_makes_the_same_overlay() {
        let top = std::env::temp_dir().join(format!("runtime-overlay-{}", std::process::id()));
        for folder in ["one", "two", "upper", "work"] {
            std::fs::create_dir_all(top.join(folder)).unwrap();
        }
        std::fs::write(top.join("one/file"), "upper layer").unwrap();
        std::fs::write(top.join("two/file"), "lower layer").unwrap();
        let lower = ["one", "two"].map(|name| top.join(name));
        for (naming, syncing) in [
            (Naming::Descriptors, Syncing::Usual),
            (Naming::Names, Syncing::Usual),
            (Naming::Together, Syncing::Usual),
            (Naming::Names, Syncing::Never),
        ] {
            let layers = Layers::open(&lower, &top.join("upper"), &top.join("work"), syncing).unwrap();
            match layers.mount_with(naming) {
                Ok(mount) => {
                    let bytes = Tree::new(mount).read_bounded(Path::new("file"), 100, Links::Refuse).unwrap();
                    assert_eq!(bytes.as_deref(), Some(&b"upper layer"[..]));
                }
                Err(error) => assert!(naming == Naming::Descriptors && error.errno() == Some(Errno::BADF), "{error}"),
            }
        }
        // The kernel's mark that something may not have been synced.
        let layers = Layers::open(&lower, &top.join("upper"), &top.join("work"), Syncing::Never).unwrap();
        assert_eq!(layers.mount().unwrap_err().errno(), Some(Errno::INVAL));
        std::fs::remove_dir_all(top.join("work/work/incompat")).unwrap();
        layers.mount().unwrap();
        std::fs::remove_dir_all(top).unwrap();
    }
}
