//! What a look at a stream finds that is still being written.

/// What a look at a stream finds that is still being written. Who serves a client looks again and again, and in between whether it is still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Polled<T> {
    /// The next item.
    Item(T),
    /// Nothing yet.
    Nothing,
    /// Nothing will come any more.
    End,
}
