from controller.stores.migration import newest_script
from controller.stores.revision import head_revision


def test_the_names_of_the_migrations_tell_what_alembic_finds():
    assert head_revision() == newest_script()
