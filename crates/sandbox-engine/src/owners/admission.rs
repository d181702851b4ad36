//! Quotas, where the engine asks for them.

use std::sync::Arc;

use async_trait::async_trait;
use sandbox_core::{Result, SandboxId, SandboxSpec};
use tokio::sync::watch;

use super::{OrganisationId, Owners};
use crate::admission::Admission;
use crate::clock::Clock;
use crate::owner::OwnerId;

/// Holds every new sandbox against its organisation's [`Quotas`](super::Quotas); for
/// [`EngineBuilder::admission`](crate::EngineBuilder::admission).
///
/// An owner that is no organisation gets no sandbox. Compute seconds the engine counts itself, to
/// the moment.
#[derive(Debug, Clone)]
pub struct QuotaAdmission {
    owners: Arc<Owners>,
    clock: Arc<dyn Clock>,
}

impl QuotaAdmission {
    /// Quotas of `owners`, for an engine with this clock.
    pub fn new(owners: Arc<Owners>, clock: Arc<dyn Clock>) -> Self {
        Self { owners, clock }
    }
}

#[async_trait]
impl Admission for QuotaAdmission {
    async fn admit(&self, owner: &OwnerId, spec: &SandboxSpec) -> Result<()> {
        let id = OrganisationId::new(owner.as_str())?;
        let now = self.clock.now();
        // The engine has held what it used against the allowance.
        let share = self
            .owners
            .reserve(&id, spec.id(), spec.resources(), 0, now)
            .await?;
        share.keep();
        Ok(())
    }

    async fn compute_seconds_per_month(&self, owner: &OwnerId) -> Result<Option<u64>> {
        let id = OrganisationId::new(owner.as_str())?;
        let quotas = self.owners.quotas(&id, self.clock.now()).await?;
        Ok(quotas.compute_seconds_per_month)
    }

    fn allowance_changes(&self) -> Option<watch::Receiver<u64>> {
        Some(self.owners.quota_changes())
    }

    fn restore(&self, owner: &OwnerId, spec: &SandboxSpec) {
        match OrganisationId::new(owner.as_str()) {
            Ok(id) => self.owners.restore(&id, spec.id(), spec.resources()),
            // Made before there were organisations: nobody's quota.
            Err(error) => tracing::warn!(%owner, %error, "a sandbox belongs to no organisation"),
        }
    }

    fn release(&self, _owner: &OwnerId, id: &SandboxId) {
        self.owners.release(id);
    }
}

impl From<&OrganisationId> for OwnerId {
    fn from(id: &OrganisationId) -> Self {
        // Both are at most 64 bytes, and every character of the one is allowed in the other.
        Self::new(id.as_str()).expect("an organisation's id is an owner's id")
    }
}

#[cfg(test)]
mod tests {
    use sandbox_core::{ErrorKind, Resources, Source, Timestamp};

    use super::*;
    use crate::clock::SystemClock;
    use crate::owners::{MemoryOwners, Quotas};

    fn spec(number: u8) -> SandboxSpec {
        let id = SandboxId::from_random([number; 16]);
        SandboxSpec::builder(id, Source::Image("debian".into()))
            .resources(Resources::default())
            .build()
            .unwrap()
    }

    #[tokio::test]
    async fn sandboxes_are_admitted_up_to_the_quota_and_again_when_one_goes() {
        let owners = Arc::new(Owners::new(Arc::new(MemoryOwners::default())));
        let quotas = Quotas {
            concurrent_sandboxes: Some(2),
            compute_seconds_per_month: Some(100),
            ..Quotas::default()
        };
        let made = owners.create_organisation("acme", quotas, Timestamp::EPOCH);
        let owner = OwnerId::from(&made.await.unwrap().id);
        let admission = QuotaAdmission::new(owners, Arc::new(SystemClock));

        admission.restore(&owner, &spec(1));
        admission.admit(&owner, &spec(2)).await.unwrap();
        let refused = admission.admit(&owner, &spec(3)).await.unwrap_err();
        assert_eq!(refused.field(), Some("quotas.concurrent_sandboxes"));
        admission.release(&owner, spec(1).id());
        admission.admit(&owner, &spec(3)).await.unwrap();

        let nobody = admission.admit(&OwnerId::default(), &spec(4)).await;
        assert_eq!(nobody.unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn every_organisation_is_an_owner() {
        for text in ["a", "org_0-z", &"9".repeat(64)] {
            let id = OrganisationId::new(text).unwrap();
            assert_eq!(OwnerId::from(&id).as_str(), text);
        }
    }
}
