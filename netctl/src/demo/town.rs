//! Who lives in the demo's town, and what they bought. Every name is invented; a likeness to a
//! real person or firm is chance.

/// A plan on sale.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) name: &'static str,
    pub(super) download_mbps: u64,
    pub(super) upload_mbps: u64,
    /// Cents a month.
    pub(super) price: i64,
}

const fn plan(name: &'static str, download_mbps: u64, upload_mbps: u64, price: i64) -> Plan {
    Plan { name, download_mbps, upload_mbps, price }
}

/// The plans, the slowest first.
pub(super) const PLANS: [Plan; 6] = [
    plan("Starter 10", 10, 5, 1490),
    plan("Home 50", 50, 20, 2490),
    plan("Home 100", 100, 40, 3490),
    plan("Family 300", 300, 150, 4990),
    plan("Office 500", 500, 250, 8900),
    plan("Fibre 1000", 1000, 500, 11900),
];

/// A customer, and the plans of its services.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resident {
    pub(super) name: &'static str,
    /// Where in [`PLANS`].
    pub(super) plans: &'static [usize],
}

const fn resident(name: &'static str, plans: &'static [usize]) -> Resident {
    Resident { name, plans }
}

/// The customers.
pub(super) const RESIDENTS: [Resident; 40] = [
    resident("Mirelda Castanhoff", &[2]),
    resident("Tobrin Wexcombe", &[1]),
    resident("Annelore Vosbergen", &[3]),
    resident("Dhanvi Kurrupath", &[2]),
    resident("Oskari Lehtivuo", &[0]),
    resident("Bakery at the Old Pump", &[4, 1]),
    resident("Yevana Drobishko", &[1]),
    resident("Kwabiso Amanfro", &[2]),
    resident("Lucindra Ferreyrol", &[3]),
    resident("Harwin Pottlethorpe", &[0]),
    resident("Sunniva Brekkestad", &[5]),
    resident("Ioan Dragulesti", &[1]),
    resident("Millbrook Dental Rooms", &[4, 2]),
    resident("Teshale Wondiraya", &[2]),
    resident("Priscelle Montagnard", &[1]),
    resident("Jorvik Halvardsen", &[3]),
    resident("Nalini Subrayan-Coe", &[2]),
    resident("Corvane Achterhuis", &[0]),
    resident("Redfern Cycle Repairs", &[1]),
    resident("Amirlan Tursunzhan", &[2]),
    resident("Ottoline Marchbank", &[3]),
    resident("Desmond Quillfeather", &[1]),
    resident("Zahrine El-Mansouri", &[2]),
    resident("Hotel Kestrel View", &[5, 4]),
    resident("Bartek Wolszewicz", &[1]),
    resident("Imogenia Thackwell", &[0]),
    resident("Ruvimbo Chikandare", &[2]),
    resident("Fenella Strathmorran", &[3]),
    resident("Joaquim Peralvez", &[1]),
    resident("Greta Lindenhorst", &[2]),
    resident("Saltmarsh Primary School", &[5, 2]),
    resident("Takuro Minasegawa", &[3]),
    resident("Elowen Tregarrick", &[1]),
    resident("Vasilka Petrunova", &[0]),
    resident("Abiodele Fashoyin", &[2]),
    resident("Rosalba Quintavalla", &[1]),
    resident("Northgate Tyre Works", &[4]),
    resident("Linh Duong-Haverly", &[2]),
    resident("Casimir Oberländer", &[3]),
    resident("Wilhelmine Ashgrove", &[1]),
];

/// A name as a login: `mirelda.castanhoff`, and `-2` and so on for further services.
pub(super) fn login(name: &str, service: usize) -> String {
    let mut login = String::new();
    for character in name.chars() {
        match character.to_ascii_lowercase() {
            letter @ ('a'..='z' | '0'..='9') => login.push(letter),
            'ä' => login.push_str("ae"),
            ' ' | '-' if !login.ends_with('.') => login.push('.'),
            _ => {}
        }
    }
    if service > 0 {
        login.push_str(&format!("-{}", service + 1));
    }
    login
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn logins_are_plain_and_differ() {
        let mut logins = HashSet::new();
        for resident in RESIDENTS {
            for service in 0..resident.plans.len() {
                let login = login(resident.name, service);
                assert!(login.is_ascii() && !login.contains(' '), "{login}");
                assert!(logins.insert(login));
            }
        }
        assert!(logins.contains("casimir.oberlaender") && logins.contains("hotel.kestrel.view-2"));
        assert!((40..=60).contains(&logins.len()), "{}", logins.len());
    }

    #[test]
    fn every_plan_is_bought_and_has_an_upload_below_its_download() {
        for (n, plan) in PLANS.iter().enumerate() {
            assert!(RESIDENTS.iter().any(|resident| resident.plans.contains(&n)), "{}", plan.name);
            assert!(plan.upload_mbps < plan.download_mbps && plan.price > 0);
        }
    }
}
