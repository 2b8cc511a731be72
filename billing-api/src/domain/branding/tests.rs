use serde_json::json;

use super::picture::tests::png_file;
use super::{LOGO_OCTETS_MAX, find_logo, remove_logo, set_logo};
use crate::domain::setting::registry::LOGO;
use crate::domain::setting::tests::{below, office, pointers};
use crate::domain::{Fault, setting};

#[tokio::test]
async fn a_logo_is_kept_served_inherited_and_removed() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let north = below(&office, &isp, json!({"kind": "partner", "name": "North"})).await;
        let hash = async || setting::of(&office, north.organisation).await.unwrap().text(&LOGO);
        let (first, second) = (png_file(30, 20), png_file(31, 20));
        set_logo(&office, &isp, None, Some("image/png"), &first, None).await.unwrap();
        let isps = hash().await;
        assert_eq!(isps.len(), 64);
        let file = find_logo(&office, &isps).await.unwrap();
        assert_eq!((file.content_type.as_str(), &file.content), ("image/png", &first));

        // The same picture twice: each organisation has its own.
        set_logo(&office, &north, None, None, &first, None).await.unwrap();
        set_logo(&office, &isp, None, None, &second, None).await.unwrap();
        assert_eq!(hash().await, isps);
        assert!(find_logo(&office, &isps).await.is_ok());
        remove_logo(&office, &north, None, None).await.unwrap();
        assert!(matches!(find_logo(&office, &isps).await, Err(Fault::NotFound(_))));
        let seconds = hash().await;
        assert!(seconds != isps && find_logo(&office, &seconds).await.is_ok());
    }
}

#[tokio::test]
async fn a_logo_that_lies_or_is_too_large_is_refused() {
    for test in store::testing::engines("billing").await {
        let (office, isp) = office(&test).await;
        let north = below(&office, &isp, json!({"kind": "partner", "name": "North"})).await;
        let lying = set_logo(&office, &isp, None, Some("image/jpeg"), &png_file(1, 1), None).await;
        assert_eq!(pointers(&lying.unwrap_err()), ["/logo"]);
        let html = set_logo(&office, &isp, None, Some("image/png"), b"<script>", None).await;
        assert_eq!(pointers(&html.unwrap_err()), ["/logo"]);
        let large = vec![0; LOGO_OCTETS_MAX + 1];
        let large = set_logo(&office, &isp, None, None, &large, None).await;
        assert!(matches!(large, Err(Fault::TooLong(LOGO_OCTETS_MAX))));
        let above = Some(isp.organisation);
        let foreign = set_logo(&office, &north, above, None, &png_file(1, 1), None).await;
        assert!(matches!(foreign, Err(Fault::NotFound("organisation"))));
        let layers = setting::of(&office, isp.organisation).await.unwrap();
        assert_eq!(layers.text(&LOGO), "");
    }
}
