//! What settings make of this process: the values in force, taken up as soon as the log has them.
//!
//! Does not know who proposed or approved a value.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use commands::{
    Commands,
    settings::{CrossOrigin, Notifications, RateLimits, RequestLimits},
};
use domain::{aggregate::Aggregate as _, configuration::setting::Setting};
use event_store::{Filter, StoreError};
use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    rates::Quotas,
    server::{App, Limits},
};

/// How long it waits before it follows the log again, in milliseconds.
const RETRY_MS: u64 = 250;

/// The values in force; everything at its default until the log was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values {
    /// Who may ask from a browser on another site.
    pub cross_origin: CrossOrigin,
    /// Who is told of alerts.
    pub notifications: Notifications,
    /// How often each caller may ask.
    pub rate_limits: RateLimits,
    /// The limits of one request.
    pub request_limits: RequestLimits,
}

/// The values that this process goes by.
#[derive(Debug, Default)]
pub struct InForce(RwLock<Arc<Values>>);

impl InForce {
    /// As they are now.
    pub fn values(&self) -> Arc<Values> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a site may ask from a browser.
    pub fn is_welcome(&self, origin: &[u8]) -> bool {
        self.values().cross_origin.origins.iter().any(|known| known.as_bytes() == origin)
    }

    /// Bytes of one request's body.
    pub fn body_bytes_max(&self, configured: &Limits) -> usize {
        self.values().request_limits.body_bytes_max.unwrap_or(configured.body_bytes_max)
    }

    /// How long one request may take.
    pub fn request_time(&self, configured: &Limits) -> Duration {
        let ms = self.values().request_limits.request_ms_max;
        Duration::from_millis(ms.unwrap_or(configured.request_ms_max))
    }

    /// How long a request may wait for a read model at most, in milliseconds.
    pub fn wait_ms_max(&self, configured: &Limits) -> u64 {
        self.values().request_limits.wait_ms_max.unwrap_or(configured.wait_ms_max)
    }

    fn take(&self, values: Values) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(values);
    }
}

/// Takes up what is in force, and whatever comes into force, until the process closes.
pub async fn follow(app: App, configured: Quotas, closing: CancellationToken) {
    closing.run_until_cancelled(follow_on(&app, &configured)).await;
}

async fn follow_on(app: &App, configured: &Quotas) {
    loop {
        if let Err(error) = follow_once(app, configured).await {
            warn!(%error, "what is in force cannot be learned");
        }
        tokio::time::sleep(Duration::from_millis(RETRY_MS)).await;
    }
}

async fn follow_once(app: &App, configured: &Quotas) -> Result<(), StoreError> {
    let from = app.store.head().await?.position;
    take_up(app, configured).await?;
    let categories = vec![Setting::CATEGORY.to_owned()];
    let mut pages = Box::pin(app.store.follow(from, Filter { categories, ..Filter::default() }));
    while let Some(page) = pages.next().await {
        if !page?.events.is_empty() {
            take_up(app, configured).await?;
        }
    }
    Ok(())
}

async fn take_up(app: &App, configured: &Quotas) -> Result<(), StoreError> {
    let values = read(&app.commands).await?;
    if values == *app.in_force.values() {
        return Ok(());
    }
    let RateLimits { queries, commands, consensus, sign_ins } = values.rate_limits;
    app.rates.set(Quotas {
        queries: queries.unwrap_or(configured.queries),
        commands: commands.unwrap_or(configured.commands),
        consensus: consensus.unwrap_or(configured.consensus),
        sign_ins: sign_ins.unwrap_or(configured.sign_ins),
    });
    info!(?values, "in force");
    app.in_force.take(values);
    Ok(())
}

async fn read(commands: &Commands) -> Result<Values, StoreError> {
    Ok(Values {
        cross_origin: commands.in_force().await?,
        notifications: commands.in_force().await?,
        rate_limits: commands.in_force().await?,
        request_limits: commands.in_force().await?,
    })
}
