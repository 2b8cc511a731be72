//! The allocator of the unit tests: it counts what a thread allocates, so that a test can say
//! how often or how much.
//!
//! `unsafe`, because that is the trait; every call goes to the system's allocator unchanged.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicIsize, Ordering};

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

static HELD: AtomicIsize = AtomicIsize::new(0);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often this thread has allocated, or grown what it had.
pub(crate) fn calls() -> u64 {
    CALLS.with(Cell::get)
}

/// Octets the program holds, as far as it asked for them.
pub(crate) fn held() -> isize {
    HELD.load(Ordering::Relaxed)
}

fn count(octets: isize) {
    // A thread that ends frees after its counter has gone.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + u64::from(octets >= 0)));
    HELD.fetch_add(octets, Ordering::Relaxed);
}

// SAFETY: each function does what the system's does, with the same arguments; counting touches
// no memory of the caller and does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // An allocation and a release.
        count(size as isize);
        count(-(layout.size() as isize));
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
