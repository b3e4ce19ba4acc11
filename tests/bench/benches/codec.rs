//! What the format of values costs: the shop's whole order to bytes and back, and a megabyte of bytes.

use bench::{Outcome, order, paths};
use bookshop_host::codec::{MessageType, Shape};
use bookshop_host::engine::{self, Room};
use bookshop_host::json;
use criterion::{Criterion, Throughput};
use mimalloc::MiMalloc;
use std::hint::black_box;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, Val};

/// The program's own: most of the work is allocating.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Nothing is called, so there is nothing to have room for.
const ROOM: Room = Room {
    calls: 1,
    memory_bytes: 1 << 20,
};

/// The limit on arguments unless it is set.
const BYTES_MAX: usize = 1 << 20;

fn main() -> Outcome {
    let init = init()?;
    let ty = MessageType::arguments(&init)?;
    let arguments = [order::record()?, order::progress()];
    let values = init.params().zip(&arguments);
    let values = values.map(|((_, ty), json)| json::from_json(json, &ty));
    let mut criterion = Criterion::default().configure_from_args();
    measure(
        &mut criterion,
        "order",
        &ty,
        &values.collect::<Result<Vec<_>, _>>()?,
    )?;
    let ty = MessageType::new(vec![("file".into(), Shape::List(Box::new(Shape::U8)))]);
    let file = Val::List(vec![Val::U8(7); BYTES_MAX - 8]);
    measure(&mut criterion, "file", &ty, &[file])?;
    criterion.final_summary();
    Ok(())
}

fn measure(criterion: &mut Criterion, name: &str, ty: &MessageType, values: &[Val]) -> Outcome {
    let bytes = ty.encode(values)?;
    if ty.decode(&bytes, BYTES_MAX)? != values {
        return Err(format!("{name} does not come back as it went").into());
    }
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("encode", |bencher| {
        bencher.iter(|| ty.encode(black_box(values)));
    });
    group.bench_function("decode", |bencher| {
        bencher.iter(|| ty.decode(black_box(&bytes), BYTES_MAX));
    });
    group.bench_function("copy", |bencher| {
        bencher.iter(|| black_box(values).to_vec());
    });
    group.finish();
    Ok(())
}

/// `transaction-verification.init`, which takes a whole order.
fn init() -> Outcome<ComponentFunc> {
    let (engine, _) = engine::runtime(ROOM)?;
    let component = Component::from_file(&engine, paths::guest("transaction-verification")?)?;
    let ty = component.component_type();
    let interface = ty.get_export(&engine, "bookshop:shop/transaction-verification@0.1.0");
    let interface = match interface.map(|export| export.ty) {
        Some(ComponentItem::ComponentInstance(interface)) => interface,
        _ => return Err("transaction-verification does not export its interface".into()),
    };
    match interface
        .get_export(&engine, "init")
        .map(|export| export.ty)
    {
        Some(ComponentItem::ComponentFunc(init)) => Ok(init),
        _ => Err("transaction-verification has no function init".into()),
    }
}
