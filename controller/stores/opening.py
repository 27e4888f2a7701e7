"""Opens all stores over one database: what the composition root and the commands call."""

from dataclasses import dataclass
from pathlib import Path

from controller.domain.ports import Clock
from controller.stores.catalogue import SqlCatalogue
from controller.stores.database import Database, DatabaseLimits, open_database
from controller.stores.derived import SqlDerived
from controller.stores.engagement import SqlEngagement
from controller.stores.jobs import SqlJobs
from controller.stores.notification_queue import SqlNotifications
from controller.stores.products import SqlProducts
from controller.stores.publications import SqlPublications
from controller.stores.recordings import SqlRecordings
from controller.stores.rehearsals import SqlRehearsals
from controller.stores.replay import SqlReplays
from controller.stores.revision import head_revision
from controller.stores.showcase import SqlShowcase
from controller.stores.stream_keys import SqlStreamKeys
from controller.stores.streams import SqlStreams
from controller.stores.users import SqlUsers
from controller.stores.webhook_queue import SqlWebhookQueue
from controller.stores.webhooks import SqlWebhooks

DATABASE_FILE = "golive.db"


@dataclass(frozen=True, slots=True)
class Stores:
    """Every store, over one database; close `database` at the end."""

    database: Database
    streams: SqlStreams
    catalogue: SqlCatalogue
    keys: SqlStreamKeys
    publications: SqlPublications
    rehearsals: SqlRehearsals
    recordings: SqlRecordings
    users: SqlUsers
    products: SqlProducts
    engagement: SqlEngagement
    jobs: SqlJobs
    derived: SqlDerived
    showcase: SqlShowcase
    replays: SqlReplays
    webhooks: SqlWebhooks
    webhook_queue: SqlWebhookQueue
    notifications: SqlNotifications


def open_stores(url: str, clock: Clock, limits: DatabaseLimits | None = None) -> Stores:
    """All stores over the database at `url`; ValueError for a URL of neither kind.

    Connects when first used; the schema is `migrate`'s business, `database.check` looks at it.
    """
    database = open_database(url, head_revision(), limits)
    return Stores(
        database=database,
        streams=SqlStreams(database, clock),
        catalogue=SqlCatalogue(database),
        keys=SqlStreamKeys(database, clock),
        publications=SqlPublications(database, clock),
        rehearsals=SqlRehearsals(database, clock),
        recordings=SqlRecordings(database, clock),
        users=SqlUsers(database, clock),
        products=SqlProducts(database, clock),
        engagement=SqlEngagement(database, clock),
        jobs=SqlJobs(database, clock),
        derived=SqlDerived(database, clock),
        showcase=SqlShowcase(database, clock),
        replays=SqlReplays(database),
        webhooks=SqlWebhooks(database, clock),
        webhook_queue=SqlWebhookQueue(database, clock),
        notifications=SqlNotifications(database, clock),
    )


def database_url(configured: str, data_dir: Path) -> str:
    """The configured URL, or that of the embedded SQLite file in the data folder."""
    return configured or f"sqlite:///{data_dir.absolute() / DATABASE_FILE}"
