//! The raw database: the same rows, written and read without any of our promises.
//!
//! Knows no stream, no version and no command id: a primary key on the position and nothing else.

use std::time::{Duration, Instant};

use api::cluster::Cluster;
use bytes::{BufMut, Bytes, BytesMut};
use futures::{SinkExt, StreamExt, pin_mut};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use crate::{Outcome, ground::Ground, report::Figure};

/// Rows in one transaction of a bulk write.
const ROWS: usize = 1_000;
/// The size of a record in bytes, as ours have it.
const RECORD_BYTES: usize = 370;

/// How rows are written.
#[derive(Clone, Copy)]
pub enum Shape {
    /// One row, one transaction.
    Single,
    /// One statement with many rows, one transaction.
    MultiRow,
    /// Binary `COPY` of many rows, one transaction.
    Copy,
}

/// Writes for `period` over one connection.
pub async fn write(cluster: &Cluster, shape: Shape, period: Duration) -> Outcome<Figure> {
    let ground = Ground::empty(cluster).await?;
    let (client, connection) = tokio_postgres::connect(ground.url(), NoTls).await?;
    tokio::spawn(connection);
    client
        .batch_execute(
            "create table raw (position bigint primary key, stream_no bigint, version bigint,
                command uuid, digest uuid, record bytea);
             alter table raw alter column record set storage external",
        )
        .await?;
    let mut writer = Writer { client, record: record(), position: 0 };
    let start = Instant::now();
    while start.elapsed() < period {
        match shape {
            Shape::Single => writer.single().await?,
            Shape::MultiRow => writer.multi_row().await?,
            Shape::Copy => writer.copy().await?,
        }
    }
    let figure = Figure::new(writer.position as usize, start.elapsed(), Vec::new());
    drop(writer);
    ground.clear().await?;
    Ok(figure)
}

struct Writer {
    client: Client,
    record: Vec<u8>,
    position: i64,
}

impl Writer {
    async fn single(&mut self) -> Outcome<()> {
        let insert = "insert into raw values ($1, $2, $3, $4, $5, $6)";
        let insert = self.client.prepare(insert).await?;
        // Prepared once, then a run of single inserts: preparing must not count.
        for _ in 0..ROWS {
            self.position += 1;
            let (command, digest) = (Uuid::now_v7(), Uuid::now_v7());
            let position = self.position;
            self.client
                .execute(&insert, &[&position, &1_i64, &position, &command, &digest, &self.record])
                .await?;
        }
        Ok(())
    }

    async fn multi_row(&mut self) -> Outcome<()> {
        let rows = ROWS as i64;
        let positions: Vec<i64> = (self.position + 1..=self.position + rows).collect();
        let ids: Vec<Uuid> = positions.iter().map(|_| Uuid::now_v7()).collect();
        let records: Vec<&[u8]> = positions.iter().map(|_| self.record.as_slice()).collect();
        let insert = "insert into raw select p, p % 10000, p / 10000, c, c, r
                      from unnest($1::bigint[], $2::uuid[], $3::bytea[]) x (p, c, r)";
        self.client.execute(insert, &[&positions, &ids, &records]).await?;
        self.position += rows;
        Ok(())
    }

    async fn copy(&mut self) -> Outcome<()> {
        let sink = self.client.copy_in("copy raw from stdin (format binary)").await?;
        pin_mut!(sink);
        for message in self.rows() {
            sink.feed(message).await?;
        }
        sink.finish().await?;
        Ok(())
    }

    fn rows(&mut self) -> Vec<Bytes> {
        let mut rows = BytesMut::with_capacity(ROWS * (RECORD_BYTES + 100));
        let mut messages = Vec::new();
        rows.put_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
        for _ in 0..ROWS {
            self.position += 1;
            rows.put_i16(6);
            for number in [self.position, self.position % 10_000, self.position / 10_000] {
                rows.put_i32(8);
                rows.put_i64(number);
            }
            for id in [Uuid::now_v7(), Uuid::now_v7()] {
                rows.put_i32(16);
                rows.put_slice(id.as_bytes());
            }
            rows.put_i32(self.record.len() as i32);
            rows.put_slice(&self.record);
            if rows.len() > 64 * 1024 {
                messages.push(rows.split().freeze());
            }
        }
        rows.put_i16(-1);
        messages.push(rows.freeze());
        messages
    }
}

fn record() -> Vec<u8> {
    vec![b'x'; RECORD_BYTES]
}

/// Reads `position` and `record` of every event as a plain program would.
pub async fn replay(pool: &sqlx::PgPool, head: u64) -> Outcome<Figure> {
    let start = Instant::now();
    let query = "select position, record from events where position <= $1 order by position";
    let mut rows = sqlx::query_as::<_, (i64, Vec<u8>)>(query).bind(head as i64).fetch(pool);
    let (mut count, mut bytes) = (0, 0);
    while let Some(row) = rows.next().await {
        bytes += row?.1.len();
        count += 1;
    }
    assert!(bytes > count, "records were read");
    Ok(Figure::new(count, start.elapsed(), Vec::new()))
}
