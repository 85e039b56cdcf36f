//! What a person or a script reads: tables, templates, documents.

pub(crate) mod ago;
pub(crate) mod document;
pub(crate) mod fields;
mod functions;
pub(crate) mod ids;
pub(crate) mod inspection;
pub(crate) mod list;
pub(crate) mod table;
pub(crate) mod template;
