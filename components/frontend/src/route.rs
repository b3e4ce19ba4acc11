//! What a request is about, by its method and path.

use crate::order_id;
use crate::page::{self, File};
use crate::refusal::Refusal;

/// Something this interface can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route<'a> {
    /// Give a file of the shop page, or the description of this interface.
    File(&'static File),
    /// List the books.
    Books,
    /// Tell what is known of the order with this identity.
    Order(&'a str),
    /// Check an order out.
    Checkout,
    /// Tell a browser what a page from elsewhere may do.
    Preflight {
        /// The methods that the path has, as in `Allow`.
        methods: &'static str,
    },
}

/// Finds what `method` on `path_with_query` asks for.
///
/// # Errors
/// - [`Refusal::NotFound`]: there is no such path.
/// - [`Refusal::UnknownOrder`]: the path is that of an order that cannot be.
/// - [`Refusal::MethodNotAllowed`]: the path has other methods only.
pub fn find<'a>(method: &str, path_with_query: &'a str) -> Result<Route<'a>, Refusal> {
    let path = path_with_query
        .split_once('?')
        .map_or(path_with_query, |(path, _)| path);
    let (route, own_methods, methods) = match path {
        "/checkout" => (Route::Checkout, ["POST"].as_slice(), "POST, OPTIONS"),
        path => (
            to_read(path)?,
            ["GET", "HEAD"].as_slice(),
            "GET, HEAD, OPTIONS",
        ),
    };
    match (method, route) {
        ("OPTIONS", _) => Ok(Route::Preflight { methods }),
        (method, _) if !own_methods.contains(&method) => Err(Refusal::MethodNotAllowed { methods }),
        (_, Route::Order(id)) if !order_id::is_possible(id) => Err(Refusal::UnknownOrder),
        (_, route) => Ok(route),
    }
}

/// What can only be read at this path.
fn to_read(path: &str) -> Result<Route<'_>, Refusal> {
    if path == "/books" {
        return Ok(Route::Books);
    }
    if let Some(id) = path.strip_prefix("/orders/") {
        // A deeper path would be about something else than an order.
        return match id {
            "" => Err(Refusal::NotFound),
            id if id.contains('/') => Err(Refusal::NotFound),
            id => Ok(Route::Order(id)),
        };
    }
    page::find(path).map(Route::File).ok_or(Refusal::NotFound)
}

#[cfg(test)]
mod tests;
