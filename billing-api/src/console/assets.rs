//! The three files a page asks for, compiled in.

use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};
use daemon::secrets::sha256;

use super::show;

struct Asset {
    name: &'static str,
    content_type: &'static str,
    body: &'static str,
    /// The beginning of the body's SHA-256.
    version: String,
}

static ASSETS: LazyLock<[Asset; 3]> = LazyLock::new(|| {
    let asset = |name, content_type, body: &'static str| {
        let hash = sha256(body.as_bytes());
        let version = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        Asset { name, content_type, body, version }
    };
    [
        asset("console.css", "text/css; charset=utf-8", include_str!("assets/console.css")),
        asset("console.js", "text/javascript; charset=utf-8", include_str!("assets/console.js")),
        asset("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
    ]
});

fn find(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

/// Where a page finds an asset: the address changes with the content, so that it may be kept
/// for ever.
pub(super) fn address(name: &str) -> String {
    let version = find(name).map_or("", |asset| &asset.version);
    format!("/assets/{name}?v={}", show::encode(version))
}

/// `GET /assets/{name}`
pub(super) async fn serve(request: HttpRequest, name: Path<String>) -> HttpResponse {
    let Some(asset) = find(&name) else {
        return HttpResponse::NotFound()
            .content_type("text/plain; charset=utf-8")
            .body("not found\n");
    };
    // Weak, because compression on the way changes the octets and not the meaning
    // (RFC 9110 §8.8.1).
    let etag = format!("W/\"{}\"", asset.version);
    let cache = if request.query_string() == format!("v={}", asset.version) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let known = request.headers().get_all(IF_NONE_MATCH).any(|value| {
        value.to_str().is_ok_and(|text| text.split(',').any(|tag| tag.trim() == etag))
    });
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((ETAG, etag))
        .insert_header((CACHE_CONTROL, cache))
        .insert_header(("X-Content-Type-Options", "nosniff"));
    if known {
        response.finish()
    } else {
        response.content_type(asset.content_type).body(asset.body)
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::StatusCode;
    use actix_web::test::TestRequest;

    use super::*;

    async fn ask(uri: &str, etag: Option<&str>) -> HttpResponse {
        let mut request = TestRequest::with_uri(uri);
        if let Some(etag) = etag {
            request = request.insert_header((IF_NONE_MATCH, etag));
        }
        let name = uri.trim_start_matches("/assets/").split('?').next().unwrap_or("").to_owned();
        serve(request.to_http_request(), Path::from(name)).await
    }

    #[actix_web::test]
    async fn an_asset_is_kept_for_ever_only_under_the_address_of_its_content() {
        let fresh = ask(&address("console.css"), None).await;
        assert!(
            fresh.headers().get(CACHE_CONTROL).unwrap().to_str().unwrap().contains("immutable")
        );
        let etag = fresh.headers().get(ETAG).unwrap().to_str().unwrap().to_owned();
        let old = ask("/assets/console.css?v=0000", None).await;
        assert_eq!(old.headers().get(CACHE_CONTROL).unwrap(), "no-cache");
        let again = ask(&address("console.css"), Some(&etag)).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(ask("/assets/passwd", None).await.status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn the_script_stays_small() {
        assert!(find("console.js").unwrap().body.lines().count() <= 400);
    }
}
