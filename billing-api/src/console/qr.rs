//! A text as a QR code: black on white in every theme, since cameras want it so.

use maud::{Markup, PreEscaped, html};
use qrcode::{EcLevel, QrCode};

/// Pixels of the quiet zone and of a module do not matter: the picture is scaled by the page.
/// Nothing where the text is too long for a code.
pub(super) fn picture(text: &str) -> Option<Markup> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    // The quiet zone is four modules wide (ISO/IEC 18004 §5.3.8).
    let (width, quiet) = (code.width(), 4);
    let size = width + 2 * quiet;
    let colors = code.to_colors();
    let mut path = String::new();
    for (at, color) in colors.iter().enumerate() {
        if *color == qrcode::Color::Dark {
            let (x, y) = (at % width + quiet, at / width + quiet);
            path.push_str(&format!("M{x} {y}h1v1h-1z"));
        }
    }
    Some(html! {
        svg.qr viewBox=(format!("0 0 {size} {size}")) role="img" aria-label="QR"
            shape-rendering="crispEdges" {
            rect width=(size) height=(size) fill="#fff" {}
            // Digits and letters of our own.
            path d=(PreEscaped(path)) fill="#000" {}
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_a_picture_and_one_too_long_none() {
        let uri = "otpauth://totp/Lastmile:a%40b?secret=JBSWY3DPEHPK3PXP&issuer=Lastmile";
        let text = picture(uri).unwrap().into_string();
        assert!(
            text.starts_with("<svg") && text.contains("M4 4h1v1h-1z"),
            "a finder at the corner"
        );
        assert!(!text.contains("style="));
        assert!(picture(&"x".repeat(5000)).is_none());
    }
}
