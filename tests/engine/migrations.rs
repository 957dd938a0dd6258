//! Database migrations of the reference stack: `up` reports missing ones and `db_init` applies
//! them.

use std::time::Duration;

use super::clients::database;
use super::heavy;
use super::project::Project;

const LIMIT: Duration = Duration::from_secs(300);
const MODELS: &str = "examples/spc/backend/measurements/models.py";
/// A migration that creates a table but changes no model.
const WITNESS: &str = r#"from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("measurements", "0003_seed_demonstration")]
    operations = [migrations.RunSQL("CREATE TABLE witness (id integer)")]
"#;

#[test]
fn up_reports_missing_migrations_and_db_init_applies_them() {
    let _alone = heavy();
    let project = Project::reference("migrations");
    let up = || project.up().within(LIMIT).ends(0);
    let init = || project.spc(&["run", "scripts/db_init.rhai"]).within(LIMIT);
    up().prints(&[
        "database: not initialised from this folder yet; run: spc run scripts/db_init.rhai",
    ])
    .does_not_print(&["warning"]);
    init().ends(0);
    up().does_not_print(&["database:"]);

    project.file("examples/spc/backend/measurements/migrations/0004_witness.py", WITNESS);
    let reported = "warning: database: backend/measurements/migrations/0004_witness.py may not be applied; run: spc run scripts/db_init.rhai";
    up().prints(&[reported]);
    up().prints(&[reported, "nothing to do"]);
    let has_witness = || database(&project).unwrap().query("SELECT id FROM witness", &[]).is_ok();
    assert!(!has_witness(), "up migrates nothing by itself");
    init().ends(0).prints(&["database: migrated"]);
    assert!(has_witness());
    up().does_not_print(&["database:"]);

    let unit = "    unit = models.CharField(";
    project.edit(
        MODELS,
        unit,
        &format!("    colour = models.CharField(max_length=20, default=\"\")\n{unit}"),
    );
    init().ends(1).prints(&[
        "The models have changes without a migration; \"python manage.py makemigrations\" writes one",
        "Add field colour to characteristic",
    ]);
}
