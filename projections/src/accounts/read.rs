//! The rows of accounts, and the reads over them.
//!
//! Does not know how rows came about.

use domain::values::{Address, Amount};
use sqlx::{PgPool, QueryBuilder};

use crate::{
    columns::{address, converted, named, parsed, unsigned},
    page::{PageOf, PageRequest, Ranked, part},
    read::ReadError,
};

use super::{Account, AccountWithStakes, LIST, Stake, StakeKind};

/// The most stakes that are shown of one account.
const STAKES_MAX: i64 = 100;

#[derive(Debug, sqlx::FromRow)]
struct Stored {
    address: Vec<u8>,
    balance: String,
    nonce: i64,
    height: i64,
}

impl TryFrom<Stored> for Account {
    type Error = sqlx::Error;

    fn try_from(row: Stored) -> Result<Account, sqlx::Error> {
        Ok(Account {
            address: address(&row.address)?,
            balance: parsed(&row.balance)?,
            nonce: converted(unsigned(row.nonce))?,
            height: unsigned(row.height),
        })
    }
}

/// An account with what it has at stake; one that only has something at stake has a balance of 0.
pub async fn get(pool: &PgPool, of: Address) -> Result<Option<AccountWithStakes>, ReadError> {
    let bytes = of.as_bytes().as_slice();
    let row = sqlx::query_as!(
        Stored,
        r#"select address as "address!", balance::text as "balance!", nonce as "nonce!",
                  height as "height!" from read.accounts where address = $1"#,
        bytes,
    )
    .fetch_optional(pool)
    .await?;
    let rows = sqlx::query!(
        r#"select kind as "kind!", validator as "validator!", matures as "matures!",
                  amount::text as "amount!"
             from read.stakes where owner = $1
            order by kind, validator, matures, started limit $2"#,
        bytes,
        STAKES_MAX,
    )
    .fetch_all(pool)
    .await?;
    let stakes = rows.into_iter().map(|row| {
        let kind = named(&row.kind)?;
        let matures = converted(unsigned(row.matures))?;
        Ok(Stake {
            kind,
            validator: address(&row.validator)?,
            amount: parsed(&row.amount)?,
            matures: (kind == StakeKind::Unbonding).then_some(matures),
        })
    });
    let stakes: Vec<Stake> = stakes.collect::<Result<_, sqlx::Error>>()?;
    let account = match row {
        Some(row) => Account::try_from(row)?,
        None if stakes.is_empty() => return Ok(None),
        None => Account {
            address: of,
            balance: Amount::ZERO,
            nonce: domain::values::Nonce::FIRST,
            height: 0,
        },
    };
    Ok(Some(AccountWithStakes { account, stakes }))
}

const BALANCES: Ranked = Ranked { table: "read.accounts", number: "balance", key: "address" };

/// A page of all accounts, the greatest balance first.
pub async fn list(pool: &PgPool, page: &PageRequest) -> Result<PageOf<Account>, ReadError> {
    let mut sql = QueryBuilder::new(
        "select address, balance::text, nonce, height from read.accounts where true",
    );
    if let Some(cursor) = page.after() {
        let [balance, address] = cursor.key(LIST)?;
        let balance = part::<Amount>(balance)?.to_string();
        let address = part::<Address>(address)?;
        sql.push(" and address = any (array(");
        BALANCES.push_after(&mut sql, (&balance, address.as_bytes()), page);
        sql.push("))");
    }
    // The column, not its text of the same name.
    sql.push(" order by accounts.balance desc, address limit ").push_bind(page.limit());
    let rows: Vec<Stored> = sql.build_query_as().fetch_all(pool).await?;
    let rows = rows.into_iter().map(Account::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(page.page(rows, Account::cursor))
}
