//! Who acts, and what they may see.

use super::Fault;
use super::access::Rights;
use super::idempotency::Idempotency;
use model::{OrganisationId, StaffId, TokenId};

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// A member of staff, signed in.
    Staff(StaffId),
    /// An API token.
    Token(TokenId),
    /// The program itself.
    System(&'static str),
}

/// The acting party with its scope: a subtree of the organisations.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    pub(crate) who: Who,
    /// For people: a name or a token's name.
    pub(crate) name: String,
    /// Where its writes land.
    pub(crate) organisation: OrganisationId,
    /// The path of that organisation: every statement takes it, rows outside do not exist.
    pub(crate) path: String,
    /// What it may do there.
    pub(crate) rights: Rights,
    /// The address it comes from, where a member of staff signed in from one.
    pub(crate) address: Option<std::net::IpAddr>,
    /// The member of staff whose token it is.
    pub(crate) owner: Option<StaffId>,
    /// Who really sits there, where somebody acts as this member of staff.
    pub(crate) impersonator: Option<StaffId>,
    /// The key its request may be repeated under.
    pub(crate) idempotency: Option<Idempotency>,
    /// The request it acts in.
    pub(crate) request_id: Option<String>,
}

impl Actor {
    /// The program itself, acting in an organisation.
    pub(crate) fn system(part: &'static str, organisation: OrganisationId, path: String) -> Self {
        Self {
            who: Who::System(part),
            name: part.to_owned(),
            organisation,
            path,
            rights: Rights::all(),
            address: None,
            owner: None,
            impersonator: None,
            idempotency: None,
            request_id: None,
        }
    }

    /// Whether it may; else a fault that names what lacks.
    pub(crate) fn may(&self, permission: &'static str) -> Result<(), Fault> {
        self.rights.require(permission)
    }

    /// Whether it acts in the root organisation: what concerns the whole installation is asked
    /// there.
    pub(crate) fn at_root(&self) -> bool {
        self.path.matches('/').count() == 1
    }

    /// The member of staff whose own account this is, for what only they may do: not a token
    /// of the program's, and nobody who acts as another.
    pub(crate) fn in_person(&self) -> Result<StaffId, Fault> {
        let refuse = |detail: &str| Err(Fault::Conflict { pointer: "", detail: detail.to_owned() });
        if self.impersonator.is_some() {
            return refuse("not while acting as somebody else");
        }
        match (self.who, self.owner) {
            (Who::Staff(id), _) | (_, Some(id)) => Ok(id),
            _ => refuse("only staff have an account, and this token belongs to none"),
        }
    }

    /// How it is written into created_by and the audit entry.
    pub(crate) fn label(&self) -> String {
        match self.who {
            Who::Staff(id) => id.to_string(),
            Who::Token(id) => id.to_string(),
            Who::System(part) => format!("system:{part}"),
        }
    }
}
