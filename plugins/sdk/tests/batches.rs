//! Plugins that see whole batches, with fields that only their config knows.

use sluicebox_plugin::prelude::*;
use sluicebox_plugin::testing::{self, Telemetry, json};

#[config]
struct Config {
    field: String,
    equals: String,
}

struct DropEqual {
    field: Field,
    equals: String,
}

impl BatchFilter for DropEqual {
    type Config = Config;

    fn new(config: Config, setup: &mut Setup) -> Result<Self, Error> {
        Ok(DropEqual { field: setup.read(&config.field)?, equals: config.equals })
    }

    fn filter(&mut self, batch: &Batch) -> Result<Rows, Error> {
        if self.field.level().is_many() {
            return Err(Error::new("not on events"));
        }
        let column = batch.by_row(self.field);
        Ok(batch.rows_where(|row| column.get::<&str>(row) != Some(&self.equals)))
    }
}

fn drop_equal(field: &str) -> Result<testing::FilterTest<DropEqual>, Error> {
    testing::batch_filter(Signal::Traces, json!({ "field": field, "equals": "x" }))
}

#[test]
fn fields_can_be_named_by_the_config() {
    let spans = (0..20).fold(Telemetry::spans(), |spans, row| {
        spans.resource(|resource| resource.attribute("team", if row % 3 == 0 { "x" } else { "y" })).span(|span| {
            let span = span.name(if row % 2 == 0 { "x" } else { "y" });
            if row == 19 { span.dropped_before() } else { span }
        })
    });
    let by_name: Vec<usize> = (0..19).filter(|row| row % 2 != 0).collect();
    let by_team: Vec<usize> = (0..19).filter(|row| row % 3 != 0).collect();
    assert_eq!(drop_equal("span.name").unwrap().run(&spans).unwrap(), by_name);
    assert_eq!(drop_equal("resource.attributes[\"team\"]").unwrap().run(&spans).unwrap(), by_team);
}

#[test]
fn a_wrong_path_is_refused_where_it_is_declared() {
    let problem = |path| drop_equal(path).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(problem("span.attributes[*]").contains("name the attribute"));
    assert!(problem("span.nmae").contains("no such field"));
    assert!(problem("log.body").contains("no such field"));
    assert!(problem("span.attributes[k]").contains("no such field"));
}

#[test]
fn an_error_of_a_call_reaches_the_host() {
    let spans = Telemetry::spans().span(|span| span.event(|event| event.name("x")));
    let error = drop_equal("span.events.name").unwrap().run(&spans).err().unwrap();
    assert_eq!(error.to_string(), "not on events");
}

/// Copies each event's attributes to its span, and counts them on the resource.
struct Lift {
    events: AttributesField,
    spans: EditAttributesField,
    resource: Field,
    total: EditField,
}

impl BatchTransform for Lift {
    type Config = NoConfig;

    fn new(_: NoConfig, setup: &mut Setup) -> Result<Self, Error> {
        Ok(Lift {
            events: setup.read_attributes("span.events.attributes[*]")?,
            spans: setup.write_attributes("span.attributes[*]")?,
            resource: setup.read("resource.attributes[\"total\"]")?,
            total: setup.write("resource.attributes[\"total\"]")?,
        })
    }

    fn transform(&mut self, batch: &Batch, edits: &Edits) -> Result<(), Error> {
        let lists = batch.attributes(self.events);
        let mut totals = vec![0i64; batch.cells(self.resource).len()];
        for row in batch.live_rows() {
            for event in batch.entries(Level::Event, row) {
                for (key, value) in lists.of(event) {
                    edits.set_attribute(self.spans, row, key, value);
                    let resource = batch.entry(Level::Resource, row).and_then(|entry| totals.get_mut(entry));
                    *resource.ok_or_else(|| Error::new("a span without a resource"))? += 1;
                }
            }
        }
        totals.iter().enumerate().for_each(|(entry, &total)| edits.set(self.total, entry, total));
        Ok(())
    }
}

#[test]
fn levels_are_related_by_the_batch() {
    let mut plugin = testing::batch_transform::<Lift>(Signal::Traces, json!({})).unwrap();
    let spans = Telemetry::spans()
        .span(|span| span.event(|event| event.attribute("a", 1)).event(|event| event.attribute("b", 2)))
        .resource(|resource| resource)
        .span(|span| span)
        .span(|span| span.event(|event| event.attribute("c", "z").attribute("d", false)).event(|event| event));
    let lifted = plugin.run(&spans).unwrap();
    assert_eq!(lifted.row(0).keys(), ["a", "b"]);
    assert_eq!(lifted.row(1).keys(), [""; 0]);
    assert_eq!(lifted.row(2).attribute("c"), "z");
    assert_eq!(lifted.resource_of(0).attribute("total"), &2);
    assert_eq!(lifted.resource_of(2).attribute("total"), &2);
    assert_eq!(plugin.writes().len(), 2);
}

#[test]
fn state_clock_and_random_have_native_stand_ins() {
    assert_eq!(state::compare_and_add("n", 2, Some(3), None), Ok(Some(2)));
    assert_eq!(state::compare_and_add("n", 2, Some(3), None), Ok(None));
    assert_eq!(state::put("n", b"x", None), Err(state::Refusal::Mismatch));
    assert_eq!(state::put("k", b"x", Some(Duration::ZERO)), Ok(()));
    assert_eq!(state::get("k"), None, "its time is over");
    assert_eq!(state::put("k", b"y", None), Ok(()));
    assert_eq!(state::get("k").as_deref(), Some(b"y".as_slice()));
    assert!(clock::now() > Time(1_700_000_000_000_000_000) && clock::monotonic() <= clock::monotonic());
    assert_ne!(random::next(), random::next());
    assert!((0.0..1.0).contains(&random::unit()));
    metrics::observe("size", 1.5);
    assert_eq!(testing::observations("size"), [1.5]);
}
