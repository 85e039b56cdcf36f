//! What a Rust source file contains, as far as the rules of style can be checked on it.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// A function outside of tests.
pub struct Function {
    /// Its name.
    pub name: String,
    /// The line where it begins.
    pub line: usize,
    /// Lines from its signature to its closing brace.
    pub lines: usize,
    /// Parameters, without the receiver.
    pub parameters: usize,
    /// Whether a parameter is a bare `bool`.
    pub takes_bool: bool,
}

/// What was found in one file.
#[derive(Default)]
pub struct Findings {
    /// Functions outside of tests.
    pub functions: Vec<Function>,
    /// Lines with the keyword `unsafe`.
    pub unsafe_lines: Vec<usize>,
    /// Lines that belong to test modules.
    pub test_lines: usize,
}

/// Walks a parsed file.
pub fn inspect(file: &syn::File) -> Findings {
    let mut findings = Findings::default();
    findings.visit_file(file);
    findings
}

fn extent(span: Span) -> usize {
    span.end().line + 1 - span.start().line
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

impl Findings {
    /// Notes a function; `block` is the `impl` around it: a foreign trait's signature is not ours to judge.
    fn function(&mut self, signature: &syn::Signature, whole: Span, block: Option<&syn::ItemImpl>) {
        let takes_bool = block.is_none_or(|block| block.trait_.is_none())
            && signature.inputs.iter().any(|input| match input {
                syn::FnArg::Typed(typed) => matches!(&*typed.ty, syn::Type::Path(path) if path.path.is_ident("bool")),
                syn::FnArg::Receiver(_) => false,
            });
        let start = signature.span().start().line;
        self.functions.push(Function {
            name: signature.ident.to_string(),
            line: start,
            lines: whole.end().line + 1 - start,
            parameters: signature.inputs.len() - usize::from(signature.receiver().is_some()),
            takes_bool,
        });
        if matches!(signature.safety, syn::Safety::Unsafe(_)) {
            self.unsafe_lines.push(start);
        }
    }
}

impl<'ast> Visit<'ast> for Findings {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if is_test(&item.attrs) {
            self.test_lines += extent(item.span());
            return;
        }
        visit::visit_item_mod(self, item);
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if is_test(&item.attrs) {
            self.test_lines += extent(item.span());
            return;
        }
        self.function(&item.sig, item.span(), None);
        visit::visit_item_fn(self, item);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        for member in &item.items {
            if let syn::ImplItem::Fn(function) = member {
                self.function(&function.sig, function.span(), Some(item));
            }
        }
        if item.unsafety.is_some() {
            self.unsafe_lines.push(item.span().start().line);
        }
        visit::visit_item_impl(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.function(&item.sig, item.span(), None);
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_expr_unsafe(&mut self, expression: &'ast syn::ExprUnsafe) {
        self.unsafe_lines.push(expression.span().start().line);
        visit::visit_expr_unsafe(self, expression);
    }
}
