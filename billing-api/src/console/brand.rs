//! Whose console it is: name, logo and accent colours of the viewer's organisation; before
//! anybody is signed in, of the one under whose name the page is asked for, else of the root.

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, IF_NONE_MATCH};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use model::OrganisationId;

use super::guard::Fields;
use super::words::{self, Words};
use super::{assets, show};
use crate::domain::setting::Layers;
use crate::domain::setting::colour::{Colour, Ground};
use crate::domain::setting::registry::{ACCENT_DARK, ACCENT_LIGHT, DISPLAY_NAME, LOGO};
use crate::domain::{Fault, Office, branding, setting};
use crate::http::Problem;

/// What stands where the product's name and colours would.
#[derive(Debug, Clone, Default)]
pub(super) struct Brand {
    name: Option<String>,
    logo: Option<String>,
    light: Option<Colour>,
    dark: Option<Colour>,
}

impl Brand {
    /// That of an organisation.
    pub(super) fn of(layers: &Layers) -> Self {
        let text = |setting| Some(layers.text(setting)).filter(|text| !text.is_empty());
        Self {
            name: text(&DISPLAY_NAME),
            logo: text(&LOGO),
            light: Colour::parse(&layers.text(&ACCENT_LIGHT)),
            dark: Colour::parse(&layers.text(&ACCENT_DARK)),
        }
    }

    /// That of the root. A sign-in page is shown without one where it cannot be read.
    pub(super) async fn of_root(office: &Office) -> Self {
        setting::of_root(office).await.map(|layers| Self::of(&layers)).unwrap_or_default()
    }

    /// That of an organisation whose own name a page is asked for under.
    pub(super) async fn of_organisation(office: &Office, id: OrganisationId) -> Self {
        match setting::of(office, id).await {
            Ok(layers) => Self::of(&layers),
            Err(_) => Self::of_root(office).await,
        }
    }

    /// The name at the head of every page.
    pub(super) fn name(&self, words: &Words) -> String {
        self.name.clone().unwrap_or_else(|| words.say(words::PRODUCT))
    }

    /// The mark beside it.
    pub(super) fn mark(&self) -> Markup {
        match &self.logo {
            Some(hash) => html! { img.logo src=(logo_address(hash)) alt="" height="26"; },
            None => html! { img src=(assets::address("icon.svg")) alt="" width="26" height="26"; },
        }
    }

    /// The style sheet with its colours, where it has any.
    pub(super) fn style(&self) -> Markup {
        let parameter = |name: &str, colour: Option<Colour>| {
            colour.map(|colour| format!("{name}={}", show::encode(&colour.to_string())))
        };
        let parameters = [parameter("light", self.light), parameter("dark", self.dark)];
        let parameters: Vec<String> = parameters.into_iter().flatten().collect();
        html! {
            @if !parameters.is_empty() {
                link rel="stylesheet" href=(format!("/brand/theme.css?{}", parameters.join("&")));
            }
        }
    }
}

/// Where a logo is served.
pub(super) fn logo_address(hash: &str) -> String {
    format!("/brand/logo/{}", show::encode(hash))
}

/// `GET /brand/theme.css`: the colours are in the address, so that it says the same for ever,
/// and asks for nothing that one organisation should not know of another.
pub(super) async fn theme(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let query = Fields::of_query(&request);
    let colour = |name: &str, ground: Ground| {
        let text = query.get(name);
        let colour = Colour::parse(text);
        let usable = colour.filter(|colour| colour.too_faint_on(ground).is_none());
        if text.is_empty() || usable.is_some() { Ok(usable) } else { Err(Fault::NotFound("style")) }
    };
    let colours = colour("light", Ground::Light)
        .and_then(|light| Ok((light, colour("dark", Ground::Dark)?)))
        .map_err(|fault| Problem::new(&request, fault))?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header(("X-Content-Type-Options", "nosniff"))
        .content_type("text/css; charset=utf-8")
        .body(style_sheet(colours.0, colours.1)))
}

/// The product's own accents, for the ground a brand has none for.
const LIGHT: &str = "#0b5cad";
const DARK: &str = "#7db8fb";

fn style_sheet(light: Option<Colour>, dark: Option<Colour>) -> String {
    let own = |given: Option<Colour>, product| given.or_else(|| Colour::parse(product));
    let (Some(light), Some(dark)) = (own(light, LIGHT), own(dark, DARK)) else {
        return String::new();
    };
    let pair = |name: &str, of: fn(Colour, Ground) -> Colour| {
        let (light, dark) = (of(light, Ground::Light), of(dark, Ground::Dark));
        format!("  {name}: light-dark({light}, {dark});\n")
    };
    let accent = pair("--accent", |colour, _| colour);
    let strong = pair("--accent-strong", Colour::stronger_on);
    let on = pair("--on-accent", |_, ground| ground.on_accent());
    // Stronger than `:root` of the other sheet, which sets them again for a dark screen.
    format!(":root:root {{\n{accent}{strong}{on}}}\n")
}

/// `GET /brand/logo/{hash}`
pub(super) async fn logo(
    request: HttpRequest,
    office: Data<Office>,
    hash: Path<String>,
) -> Result<HttpResponse, Problem> {
    let file = branding::find_logo(&office, &hash).await;
    let file = file.map_err(|fault| Problem::new(&request, fault))?;
    let etag = format!("\"{}\"", hash.as_str());
    let known = request.headers().get_all(IF_NONE_MATCH).any(|value| {
        value.to_str().is_ok_and(|text| {
            text.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag)
        })
    });
    let status = if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
    let mut response = HttpResponse::build(status);
    response
        .insert_header((ETAG, etag))
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header(("X-Content-Type-Options", "nosniff"))
        // Whatever somebody makes of it: nothing in it runs.
        .insert_header((CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"));
    Ok(if known {
        response.finish()
    } else {
        response.content_type(file.content_type).body(file.content)
    })
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[actix_web::test]
    async fn a_style_sheet_has_only_colours_that_can_be_read() {
        let ask = async |query: &str| {
            let request = TestRequest::with_uri(&format!("/brand/theme.css?{query}"));
            theme(request.to_http_request()).await.is_ok()
        };
        assert!(ask("light=%230b5cad&dark=%237db8fb").await && ask("").await);
        for bad in ["light=%23ffcc00", "dark=%230b5cad", "light=red", "light=%23000;}*{"] {
            assert!(!ask(bad).await, "{bad}");
        }
        let text = style_sheet(Colour::parse("#700000"), None);
        assert!(text.contains("--accent: light-dark(#700000, #7db8fb);"), "{text}");
        assert!(text.contains("--accent-strong: light-dark(#540000, "), "{text}");
    }

    #[test]
    fn a_brand_stands_where_the_product_would() {
        let words = Words::english();
        let product = Brand::default();
        assert_eq!(product.name(&words), "Lastmile");
        assert_eq!(product.style().into_string(), "");
        let brand = Brand {
            name: Some("North <Net>".to_owned()),
            logo: Some("00ff".to_owned()),
            light: Colour::parse("#700000"),
            dark: None,
        };
        assert_eq!(brand.name(&words), "North <Net>");
        assert!(brand.mark().into_string().contains(r#"src="/brand/logo/00ff""#));
        assert!(brand.style().into_string().contains("/brand/theme.css?light=%23700000\""));
    }
}
