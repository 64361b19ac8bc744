//! The account and its two limits.

use bytes::Bytes;

use super::*;

const MIB: usize = 1 << 20;

fn limited(limit: usize, spike: usize) -> Memory {
    let spec = MemoryLimiterSpec::Limited {
        limit: MemoryShare::Bytes(limit),
        spike: Some(MemoryShare::Bytes(spike)),
        check_interval: Duration::from_secs(1),
    };
    Memory::new(&spec, &Metrics::default())
}

#[test]
fn a_lease_ends_with_the_last_slice_of_its_bytes() {
    let memory = Memory::unlimited();
    let bytes = Bytes::from(vec![7; 1000]);
    let kept = memory.lease_of(Kind::Reading, 1000).unwrap().keep(bytes, Kind::Requests);
    assert_eq!(
        (memory.held(), memory.0.gauge(Kind::Reading).get(), memory.0.gauge(Kind::Requests).get()),
        (1000, 0, 1000)
    );
    let (slice, copy) = (kept.slice(10..20), kept.clone());
    drop((kept, copy));
    assert_eq!(memory.held(), 1000);
    assert_eq!(slice, [7; 10][..]);
    drop(slice);
    assert_eq!((memory.held(), memory.0.gauge(Kind::Requests).get()), (0, 0));
}

#[test]
fn the_hard_limit_is_never_crossed_by_any_number_of_threads() {
    let memory = limited(10 * MIB, MIB);
    let grabbing = |memory: Memory| {
        std::thread::spawn(move || {
            let mut leases = Vec::new();
            let refused =
                (0..1000).filter(|_| memory.lease_of(Kind::Decoding, 100_000).map(|l| leases.push(l)).is_err());
            let refused = refused.count();
            assert!(memory.held() <= 10 * MIB);
            (refused, leases)
        })
    };
    let threads: Vec<_> = (0..4).map(|_| grabbing(memory.clone())).collect();
    let ends: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let granted: usize = ends.iter().map(|(_, leases)| leases.len()).sum();
    assert_eq!(granted, 10 * MIB / 100_000);
    assert_eq!(ends.iter().map(|(refused, _)| refused).sum::<usize>(), 4000 - granted);
    drop(ends);
    assert_eq!(memory.held(), 0);
}

#[test]
fn f25_the_soft_limit_is_left_well_below_where_it_is_entered() {
    let memory = limited(100 * MIB, 20 * MIB);
    let mut lease = memory.lease_of(Kind::Requests, 80 * MIB).unwrap();
    assert_eq!(memory.admit(), Ok(()));
    lease.grow(1).unwrap();
    assert_eq!(memory.admit(), Err(Shortage::Soft { held: 80 * MIB + 1, limit: 80 * MIB }));
    // Around the limit nothing changes, however long.
    for second in 1..100 {
        lease.shrink_to(80 * MIB - 1);
        assert!(memory.admit_at(|| second * 1000).is_err());
        lease.grow(2).unwrap();
        assert!(memory.admit_at(|| second * 1000).is_err());
    }
    lease.shrink_to(70 * MIB - 1);
    assert_eq!(memory.admit_at(|| 100_000), Ok(()));
    assert_eq!(memory.0.periods.get(), 1);
    // Whatever the account does, there is no more than one period a dwell.
    for moment in 0..1000 {
        let full = memory.lease_of(Kind::Requests, 15 * MIB).unwrap();
        let _ = memory.admit_at(|| 200_000 + 10 * moment);
        drop(full);
        let _ = memory.admit_at(|| 200_000 + 10 * moment);
    }
    let periods = memory.0.periods.get();
    assert!((2..=51).contains(&periods), "{periods}");
}

#[test]
fn a_process_above_the_limit_refuses_but_never_starves() {
    let memory = limited(100 * MIB, 20 * MIB);
    let mut lease = memory.lease_of(Kind::Requests, 50 * MIB).unwrap();
    memory.observe(99 * MIB);
    assert_eq!(memory.admit(), Ok(()));
    memory.observe(101 * MIB);
    assert_eq!(memory.admit(), Err(Shortage::Resident { resident: 101 * MIB, limit: 100 * MIB }));
    assert!(memory.status().refusing);
    // A little below is not yet well.
    memory.observe(99 * MIB);
    assert!(memory.admit().is_err());
    lease.shrink_to(12 * MIB);
    assert_eq!(memory.admit(), Ok(()));
    lease.grow(38 * MIB).unwrap();
    memory.observe(90 * MIB);
    assert_eq!(memory.admit(), Ok(()));
}

#[test]
fn limits_are_exchanged_while_bytes_are_held() {
    let memory = limited(100 * MIB, 20 * MIB);
    let _held = memory.lease_of(Kind::Requests, 50 * MIB).unwrap();
    let spec = |limit, spike| MemoryLimiterSpec::Limited { limit, spike, check_interval: Duration::from_secs(1) };
    memory.limit(&spec(MemoryShare::Bytes(50 * MIB), None));
    assert_eq!(memory.status().soft_limit_bytes, Some(40 * MIB));
    assert!(memory.admit().is_err() && memory.lease_of(Kind::Edited, 1).is_err());
    memory.limit(&MemoryLimiterSpec::None);
    assert_eq!(memory.admit(), Ok(()));
    assert_eq!(memory.status().hard_limit_bytes, None);
    memory.limit(&spec(MemoryShare::Percent(50), Some(MemoryShare::Percent(10))));
    let total = machine::memory().unwrap();
    let status = memory.status();
    assert_eq!(status.hard_limit_bytes, Some(total / 100 * 50));
    assert_eq!(status.soft_limit_bytes, Some(total / 100 * 50 - total / 100 * 10));
}
