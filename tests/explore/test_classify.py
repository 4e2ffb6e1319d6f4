"""Pictures and a labelled collection against classes, and where in a picture a class is, on the bundled world."""

import numpy as np
import pytest

from clipexplore import Space, class_embeddings
from clipexplore.errors import InputError
from clipexplore.explore.classify import AT_ONCE, classes_of, classify, judge
from clipexplore.explore.where import look, where
from clipexplore.labs.zeroshot import best_sigmoid
from clipexplore.models.catalog import Model
from clipexplore.models.families import Scale


@pytest.fixture(scope="module")
def judged(space):
    return judge(space, "place", ["{}", "a {}"])


def test_pictures_sums_and_names_are_classified(space):
    named = space.with_names({"cold": space.point("snow - desert").expression})
    result = classify(named, ["@lion-snow-07", "@lion + @cold"], ["snow", "jungle"], ["{}", "a {}"])
    classes = class_embeddings(space.embed_texts, ["snow", "jungle"], ["{}", "a {}"])
    np.testing.assert_allclose(result.cosines[0], classes @ space.point("@lion-snow-07").vector, atol=1e-6)
    np.testing.assert_allclose(result.probs.sum(axis=1), 1, rtol=1e-5)
    assert not result.cut and result.scale == space.model.scale


def test_a_text_that_is_cut_is_named(space):
    long = "very " * 100 + "long"
    assert [text for text, _ in classify(space, ["@lion"], [long], ["{}"]).cut] == [long]


def test_every_labelled_picture_is_judged(space, judged):
    places = space.collection.fields["place"]
    assert judged.class_names == sorted(set(places.dropna())) and judged.pictures == places.notna().sum()
    yours = judged.verdicts["yours"]
    assert judged.accuracies["yours"] == yours.report.accuracy == pytest.approx(1 - yours.wrong / judged.pictures)
    assert len(yours.inside) + len(yours.outside) == len(places) and yours.report.confusion.sum() == judged.pictures
    assert judged.by_count[25] == judged.accuracies["many"] and judged.by_count[1] == judged.accuracies["bare"]


def test_mistakes_are_mistakes_and_the_surest_come_first(space, judged):
    mistakes = judged.verdicts["bare"].mistakes
    for each in mistakes:
        assert space.collection.fields["place"].iloc[space.collection.row(each.id)] == each.right != each.named
    assert [each.prob for each in mistakes] == sorted((each.prob for each in mistakes), reverse=True)


def test_progress_is_reported(space):
    shares = []
    judge(space, "count", report=lambda share, stage: shares.append(share))
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] < 1


def test_a_field_that_tells_nothing_apart_says_so(space):
    with pytest.raises(InputError, match="fewer than two values"):
        judge(space, "boxes")


@pytest.mark.parametrize("image", ["lion", "@man + @penguin", "@nope"])
def test_where_needs_one_picture_that_there_is(space, image):
    with pytest.raises(InputError, match="not one picture|There is no @nope"):
        look(space, image)


def test_known_boxes_are_found_by_the_names_of_things(space):
    seen = look(space, "@peacock-right-tiger-face-meadow-01")
    result = where(space, "@peacock-right-tiger-face-meadow-01", ["peacock", "a tiger", "guitar"], ["a {}"], seen=seen)
    assert result.windows == len(seen.boxes) == len(seen.vectors) and result.maps.shape == (3, 128, 128)
    assert result.known[1][:2] == (5, 34) and result.known[2] is None and result.ious[2] is None
    assert result.ious[0] > 0.2 and result.ious[1] > 0.2


def test_many_texts_are_embedded_some_at_a_time_and_can_be_stopped_between():
    space, reports = Space.open(), []
    names, templates = (
        [f"thing {number}" for number in range(30)],
        [f"{number} photos of a {{}}" for number in range(20)],
    )

    class Stopped(Exception):
        pass

    def report(share, stage):
        reports.append((round(share, 2), stage))
        if len(reports) > 3:
            raise Stopped

    whole = classes_of(space, names, templates, report)
    assert reports == [(0.0, "Embedding 600 texts"), (0.43, "Embedding 600 texts"), (0.85, "Embedding 600 texts")]
    with pytest.raises(Stopped):
        classes_of(space, names, templates, report)
    np.testing.assert_allclose(whole.vectors, class_embeddings(space.embed_texts, names, templates), atol=1e-5)
    known = classify(space, ["@man-top-hat"], names, templates, classes=whole)
    np.testing.assert_allclose(known.probs, classify(space, ["@man-top-hat"], names, templates).probs, atol=1e-5)


def test_judging_by_many_templates_may_be_stopped_after_each_part(monkeypatch):
    space, sizes, told = Space.open(), [], []
    embed = Space.embed_texts
    monkeypatch.setattr(Space, "embed_texts", lambda self, texts: (sizes.append(len(texts)), embed(self, texts))[1])
    templates = [f"{'very ' * number}good photo of a {{}}" for number in range(12)]
    judge(space, "place", templates, report=lambda share, stage: told.append((share, len(sizes))))
    assert max(sizes) <= AT_ONCE and [before for _share, before in told] == [*range(len(sizes))], "each part is told"
    assert [share for share, _before in told] == sorted(share for share, _before in told) and 0 <= told[-1][0] < 1


@pytest.fixture
def by_sigmoid(monkeypatch):
    """The bundled model as if it had been trained with a sigmoid, so that a cosine of .2 has a probability of ½."""
    monkeypatch.setattr(Model, "scale", property(lambda model: Scale(60.0, -12.0)))


def test_under_a_sigmoid_none_of_these_is_an_answer(space, by_sigmoid):
    asked = ["@man-top-hat", "@penguin"]
    result = classify(space, asked, ["a man with a top hat", "a guitar"], ["{}"])
    np.testing.assert_allclose(result.probs, 1 / (1 + np.exp(12 - 60 * result.cosines.astype(float))), atol=1e-5)
    assert result.answers == ["a man with a top hat", None] and result.probs[1].sum() < 0.5
    assert result.scale == (60.0, -12.0, True)


def test_a_softmax_always_answers(space):
    assert None not in classify(space, ["@penguin"], ["top hat", "guitar"]).answers


def test_a_collection_is_judged_by_the_models_own_sigmoid(space, judged, by_sigmoid):
    verdict, before = judge(space, "place", ["{}", "a {}"]).verdicts["yours"], judged.verdicts["yours"]
    assert verdict.report.accuracy == before.report.accuracy and verdict.threshold == before.threshold
    assert verdict.half.cosine == pytest.approx(0.2) and before.half is None and before.fitted.logit_bias is None
    assert verdict.half.kept == pytest.approx((verdict.inside >= 0.2).mean())
    assert verdict.half.refused == pytest.approx((verdict.outside < 0.2).mean())
    sure = 1 / (1 + np.exp(12 - 60 * verdict.inside.astype(float)))
    shares = verdict.own.count / verdict.own.count.sum()
    assert (verdict.own.confidence * shares).sum() == pytest.approx(sure.mean(), abs=1e-4)
    classes = class_embeddings(space.embed_texts, judged.class_names, ["{}", "a {}"])
    known = space.collection.fields["place"].notna().to_numpy()
    truth = np.searchsorted(judged.class_names, space.collection.fields["place"][known].to_list())
    cosines = space.collection.embeddings("emoji", "pictures")[known] @ classes.T
    assert verdict.fitted[:2] == pytest.approx(best_sigmoid(cosines, truth), rel=1e-3)
