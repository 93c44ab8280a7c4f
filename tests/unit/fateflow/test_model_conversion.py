"""Files made of a model for other libraries go when the model is made anew."""

from job_samples import lr_job
from site_samples import finish, lr_conf, site_at

from fateflow.scheduler import model_files, models, submit


def test_a_model_trained_again_loses_its_old_files(tmp_path):
    site = site_at(tmp_path / "home")
    data = submit.submit(site, lr_job(), lr_conf())
    finish(site, site.parties.created())
    at = model_files.folder(site.settings, "guest", "9999", *data["model_info"].values())
    made = at / model_files.CONVERTED / "hetero_lr_0" / "model" / "sklearn.joblib"
    made.parent.mkdir(parents=True)
    made.write_bytes(b"old")
    assert model_files.converted(at) == [made]
    models.save_pipeline(site, data["model_info"]["model_version"], "guest", "9999")
    assert not model_files.converted(at)
    assert list(model_files.models(at))
