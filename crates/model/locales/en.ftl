# Every sentence a subscriber, a customer or the office reads, in English.
# Keys are grouped by where they appear: reject-* goes into Reply-Message.

reject-credentials = Wrong user name or password.
reject-setup = This connection is not set up correctly. Please contact support.
reject-expired = Your service has expired. Please renew it.
reject-nonpayment = Your service is on hold until the open bill is paid.
reject-suspended = Your service is suspended. Please contact support.
reject-paused = Your service is paused.
reject-quota = Your data allowance is used up.

# The console: pages of the office. Grouped as the pages are.

console-language = en
console-direction = ltr
console-product = Lastmile
console-title = { $page } · { $product }
console-skip = Skip to the content
console-navigation = Main
console-nav-overview = Overview
console-nav-services = Services
console-nav-sessions = Sessions
console-nav-organisations = Organisations
console-nav-settings = Settings
console-sign-out = Sign out
console-footer = Times are in { $zone }.
console-updated = As of { $time }
console-none = –
console-pager = Pages
console-older = Older
console-newest = Back to the newest
console-search = Search
console-away = This cannot be shown at the moment: the network database does not answer.

console-ago-now = just now
console-ago-minutes = { $n } min ago
console-ago-hours = { $n } h ago
console-ago-days = { $n ->
    [one] yesterday
   *[other] { $n } days ago
}
console-lasts-seconds = { $n } s
console-lasts-minutes = { $n } min
console-lasts-hours = { $hours } h { $minutes } min
console-lasts-days = { $days } d { $hours } h
console-price-per = { $amount } / { $period }
console-price-none = no price
console-period-month = month
console-period-quarter = quarter
console-period-half-year = half year
console-period-year = year
console-rate-unlimited = unlimited

console-fault-not-found = Not found
console-fault-not-found-next = There is nothing here, or nothing you may see. The address may be mistyped, or what was here is gone.
console-fault-invalid = This request cannot be read
console-fault-invalid-next = Something in it is missing or wrong. Go back, reload the page, and try again.
console-fault-conflict = It stands against something that exists
console-fault-stale = Somebody else changed it meanwhile
console-fault-stale-next = Go back, reload the page, and look at it again before you change it.
console-fault-foreign = This form is out of date
console-fault-foreign-next = Nothing was changed. Go back, reload the page, and send the form again.
console-fault-forbidden = You may not do this
console-fault-forbidden-next = It needs the permission { $permission }. Ask whoever looks after your role.
console-fault-too-many = Too many attempts
console-fault-too-many-next = Please wait { $seconds ->
    [one] one second
   *[other] { $seconds } seconds
} and try again.
console-fault-unavailable = The database cannot be reached
console-fault-unavailable-next = Subscribers can still log in, and nothing is lost. Try again in a moment.
console-fault-internal = Something went wrong here
console-fault-internal-next = This is our fault, not yours. The log has the details under this number:
console-fault-unauthenticated = Please sign in
console-fault-request-id = Request { $id }
console-fault-home = Go to the overview

console-form-problems = { $n ->
    [one] One field needs another look
   *[other] { $n } fields need another look
}
console-form-field-wrong = { $label }: { $detail }.
console-form-optional = optional
console-form-choose = Choose …
console-form-cancel = Cancel
console-form-save = Save
console-yes = Yes
console-no = No

console-done-suspended = The service is suspended. A live session is being ended.
console-done-activated = The suspension by staff is lifted.
console-done-plan-changed = The plan is changed. A live session is being moved to the new speed.
console-done-settings-changed = The settings are saved.
console-done-modules-changed = The modules are saved.
console-done-organisation-created = The organisation is created.
console-done-organisation-changed = The organisation is saved.
console-done-organisation-moved = The organisation is moved, with all that is below it.
console-done-organisation-deleted = The organisation is deleted.
console-done-stale = Nothing was changed: somebody else changed this service meanwhile. Please look again.

console-login-title = Sign in
console-login-email = E-mail
console-login-password = Password
console-login-submit = Sign in
console-login-wrong = The e-mail address or the password is wrong.
console-login-ended = Your session has ended. Please sign in again.
console-login-too-many = Too many people are signing in at once. Please wait { $seconds } seconds and try again.
console-step-code = Code
console-step-code-title = Second factor
console-step-code-text = Type the code your authenticator app shows now, or one of your recovery codes.
console-step-enrolment-title = Set up a second factor
console-step-enrolment-text = Add this key to an authenticator app (time-based, six digits), then type the code it shows.
console-step-enrolment-link = Open in an app on this device
console-step-enrolment-submit = Turn on
console-step-password-title = Choose a new password
console-step-password-text = Your password has to be changed before you go on.
console-password-now = Password you have now
console-password-new = New password
console-password-hint = A few unrelated words are good. Your other sessions end when it changes.
console-password-submit = Set password
console-link-title = Set your password
console-link-text = This sets the password of { $email }. Sign in with it afterwards.
console-recovery-title = Your recovery codes
console-recovery-text = Each signs you in once when you do not have your authenticator app. Keep them where you keep important papers: they are not shown again.
console-recovery-further = I have kept them
console-recovery-left = { $n ->
    [0] No recovery code is left.
    [one] One recovery code is left.
   *[other] { $n } recovery codes are left.
}
console-recovery-renew = Make new recovery codes
console-account-title = My account
console-account-password = Change password
console-account-second-factor = Second factor
console-account-second-factor-on = An authenticator app is asked for at each sign-in.
console-account-second-factor-off = Only your password protects this account. An authenticator app makes it much harder to take over.
console-account-second-factor-begin = Set up
console-account-second-factor-disable = Turn off
console-account-sessions = Where you are signed in
console-account-session-browser = Browser
console-account-session-address = Address
console-account-session-seen = Last used
console-account-session-this = this one
console-account-session-end = End
console-account-sessions-end = End all others
console-impersonation = { $impersonator } is acting as { $name }.
console-impersonation-stop = Stop
console-done-password-changed = The password is changed, and your other sessions have ended.
console-done-second-factor-off = The second factor is turned off.
console-done-sessions-ended = Done: those sessions have ended.

console-overview-figures = Figures
console-tile-customers = Customers
console-tile-services = Services
console-tile-held = { $n } on hold
console-tile-none-held = none on hold
console-tile-sessions = Open sessions
console-tile-nas = NAS
console-overview-sessions = Latest sessions
console-overview-all-sessions = All sessions
console-overview-activity = Latest activity
console-overview-no-activity = Nothing has been changed yet. What staff, API clients and the system change appears here.
console-first-steps = First steps
console-first-steps-text = Three things bring the first subscriber online:
console-first-step-plan = Create a plan: what you sell, and how fast it is
console-first-step-nas = Register a NAS: the router that subscribers connect to
console-first-step-customer = Create a customer, and add a service with a login

console-act-customer-created = Customer created
console-act-plan-created = Plan created
console-act-service-created = Service created
console-act-service-plan-changed = Plan of a service changed
console-act-service-suspended = Service suspended
console-act-service-activated = Service activated
console-act-nas-created = NAS registered
console-act-nas-seen = NAS met for the first time
console-act-client-created = RADIUS client created
console-act-client-secret = Secret of a RADIUS client changed
console-act-other = { $entity }: { $action }
console-by-staff = a member of staff
console-by-token = API
console-by-system = system

console-chart-title = Traffic of the last 60 minutes
console-chart-description = Download: { $download } now, { $download_max } at most. Upload: { $upload } now, { $upload_max } at most.
console-chart-download = Download
console-chart-upload = Upload
console-chart-empty = No traffic was reported in the last 60 minutes. It appears here once a NAS sends accounting for a session.

console-customer-services = Services
console-customer-no-services = This customer has no service yet. Add one below: a plan, a login and a password.
console-customer-sessions = Sessions
console-customer-no-sessions = No session yet. It appears here when one of the logins above connects.

console-service-no-login = no login
console-service-plan = Plan
console-service-since = Since
console-service-active = Active
console-service-speed = Download / upload
console-service-address = Fixed address
console-service-expires = Expires
console-service-all-sessions = All sessions of { $login }
console-service-suspend = Suspend
console-service-suspend-confirm = Suspend { $login }? A live session is ended at once, and the login is refused until you activate it again.
console-service-activate = Activate
console-service-change-plan = Change plan
console-service-new-plan = New plan of { $login }
console-service-add = Add a service
console-hold-since = since { $time }
console-hold-reject = login refused
console-hold-garden = walled garden
console-hold-billing = network not affected
console-hold-nonpayment = Bills not paid
console-hold-expired = Expired
console-hold-admin = Suspended by staff
console-hold-abuse = Misuse
console-hold-pause = Paused by the customer
console-hold-quota = Quota used up



console-sessions-title = Sessions
console-sessions-empty = No session is open. One appears here within a second of its first accounting packet.
console-sessions-not-found = No session matches. Try another login, or show all.
console-sessions-show = Show
console-sessions-open = Open
console-sessions-closed = Closed
console-sessions-all = All
console-session-login = Login
console-session-nas = NAS
console-session-ip = IP
console-session-mac = Calling station
console-session-started = Started
console-session-duration = Duration
console-session-download = Download
console-session-upload = Upload
console-session-state = State
console-session-open = Open
console-session-closed = Closed
console-session-unknown-nas = unknown
console-session-unknown-login = no login

console-settings-title = Settings
console-settings-from = From { $name }.
console-settings-own = Set here; without it: { $value }
console-settings-default = Not set; the default applies.
console-settings-entity = Set by the legal entity.
console-settings-reset = Inherit again
console-modules-title = Modules
console-modules-text = What is off is not in the navigation, and its pages and API resources answer as if they did not exist, here and in every organisation below.
console-modules-off-at = off in { $name }
console-modules-fixed = always on
console-branding-title = Branding
console-branding-file = New logo
console-branding-file-hint = PNG, JPEG or WebP, at most 256 KiB. SVG is not taken: it can carry scripts.
console-branding-send = Send logo
console-branding-remove = Remove logo

console-organisations-title = Organisations
console-organisations-new = New organisation
console-organisations-more = The first { $n } are shown. The API lists them all.
console-organisation-parent = Below
console-organisation-kind = Kind
console-organisation-name = Name
console-organisation-address = Address
console-organisation-entity = Legal entity
console-organisation-entity-hint = It issues papers in its own name, in its own currency. This cannot be taken back.
console-organisation-currency = Currency
console-organisation-currency-hint = Three letters, such as USD; only for a legal entity
console-organisation-zone = Time zone
console-organisation-inherits = Empty: that of the organisation above
console-organisation-level = level { $n }
console-organisation-isp = Provider
console-organisation-partner = Partner
console-organisation-branch = Branch
console-organisation-create = Create organisation
console-organisation-move = Move
console-organisation-move-text = It takes along everything below it: customers, staff, devices. Those above it now stop seeing them; those above its new place see them at once.
console-organisation-delete = Delete
console-organisation-delete-text = Only an organisation that has nothing left can be deleted.

console-setup-title = First setup
console-setup-progress = { $done } of { $all } steps are done.
console-setup-resume = Go on with the setup
console-setup-business = Business
console-setup-business-text = What stands on bills and papers. What is missing can be added later.
console-setup-operation = Operation
console-setup-operation-text = Where and how you work. Bills and reports follow these.
console-setup-plan = First plan
console-setup-plan-text = What you sell: a price and a speed.
console-setup-nas = First NAS
console-setup-nas-text = The router your subscribers connect to, and the secret it shares with this server.
console-setup-staff = Staff
console-setup-staff-text = Nobody should share a password: everyone who works here gets an account of their own.
console-setup-staff-go = Go to the staff
console-setup-step-done = This step is done. You can add another, or go on.
console-setup-router = On a MikroTik router, type these lines. Put the address of this server in place of SERVER, and the shared secret in place of SECRET:
console-setup-done = done
console-setup-create = Create
console-setup-next = Next
console-setup-skip = Skip
console-setup-open = Almost there. A step is still open:
console-setup-finished = Everything is set up. Next, create a customer and give them a service.
console-setup-close = Finish the setup
console-setup-leave = Do not show this again

# Settings, by their keys.

setting-group-business = Business
setting-group-contacts = Contacts
setting-group-operation = Operation
setting-group-security = Security
setting-group-import = Import
setting-business-legal-name = Legal name
setting-business-legal-name-hint = As it stands on bills.
setting-business-registration-number = Registration number
setting-business-tax-id = Tax id
setting-business-tax-id-hint = GSTIN, VAT number or the like.
setting-business-address = Address
setting-contacts-support-email = Support e-mail
setting-contacts-phone = Phone
setting-contacts-address = Address for visitors
setting-operation-zone = Time zone
setting-operation-zone-hint = Such as Asia/Kolkata. A change concerns later periods only.
setting-operation-currency = Currency
setting-operation-currency-hint = Three letters, such as USD.
setting-operation-locale = Language
setting-operation-locale-hint = Such as en or pt-BR.
setting-operation-date-format = Date format
setting-operation-fiscal-year-start = First day of the fiscal year
setting-operation-fiscal-year-start-hint = Month and day, such as 04-01.
setting-operation-week-start = First day of the week
setting-choice-monday = Monday
setting-choice-saturday = Saturday
setting-choice-sunday = Sunday
setting-security-password-length = Shortest password, characters
setting-security-password-length-hint = Those below may ask for more, not for less.
setting-security-session-idle-minutes = Sign out after idle minutes
setting-security-session-lifetime-hours = Sign out after hours
setting-security-two-factor-required = Second factor required
setting-security-two-factor-required-hint = Once on, it is on for all below.
setting-security-audit-retention-days = Keep the audit log, days
setting-group-export = Export
setting-group-mail = Mail
setting-export-keep-hours = Files made in the background are kept for hours
setting-export-attachment-kib = Scheduled exports are attached up to KiB
setting-export-attachment-kib-hint = A larger file is a link, which needs signing in. 0: always a link.
setting-mail-reply-to = Answers go to
setting-mail-reply-to-hint = Without one, answers go to the address the mail server sends from.
setting-mail-contact = Contact for failures
setting-mail-contact-hint = Whoever looks after this organisation's jobs and schedules.
setting-mail-job-failed = Tell the contact of failed jobs
setting-mail-hourly-max = Letters in an hour, at most
setting-mail-hourly-max-hint = More wait until the hour is over. Those below may not send more.
setting-import-undo-window-hours = An import can be undone for hours
setting-branding-display-name = Name on our pages
setting-branding-accent-light = Accent colour on light ground
setting-branding-accent-light-hint = Such as #0b5cad. It must be readable: contrast 4.5 or more.
setting-branding-accent-dark = Accent colour on dark ground
setting-branding-accent-dark-hint = Such as #7db8fb. It must be readable: contrast 4.5 or more.
setting-branding-logo = Logo

# Modules, by their names.

module-customers = Customers
module-customers-services = Services
module-customers-labels = Labels
module-customers-discounts = Discounts
module-customers-vouchers = Vouchers
module-catalog = Catalogue
module-catalog-plans = Internet plans
module-catalog-fair-use = Fair use
module-catalog-bundles = Bundles
module-catalog-one-time-charges = One-time charges
module-catalog-recurring-charges = Recurring charges
module-billing = Billing
module-billing-dashboard = Invoice dashboard
module-billing-invoices = Invoices
module-billing-payments = Payments
module-billing-credit-notes = Credit notes
module-billing-proforma = Pro forma invoices
module-billing-payment-history = Payment history
module-billing-statements = Payment statements
module-billing-vouchers = Refill cards
module-network = Network
module-network-sessions = Sessions
module-network-routers = Routers
module-network-sites = Sites
module-network-cpe = Customer equipment
module-network-tr069 = TR-069
module-network-ipv4-pools = IPv4 pools
module-network-ipv6-pools = IPv6 pools
module-network-hardware = Hardware
module-provisioning = Provisioning
module-vpn = VPN
module-gis = Maps
module-inventory = Inventory
module-helpdesk = Tickets
module-scheduling = Scheduling
module-voice = Voice
module-leads = Leads
module-notifications = Notifications
module-notifications-email = E-mail
module-notifications-sms = SMS
module-notifications-messengers = Messengers
module-reports = Reports
console-menu = Menu
console-close = Close
console-nav-group-customers = Customers
console-nav-group-network = Network
console-nav-group-catalogue = Catalogue
console-nav-group-billing = Billing
console-nav-group-support = Support
console-nav-group-automation = Automation
console-nav-group-administration = Administration
console-nav-audit = Audit log
console-nav-activity = Activity
console-account = Account of { $name }
console-my-account = My account
console-keys-title = Keyboard
console-keys-search = Search everything
console-keys-new = New record
console-keys-rows = Next row, row before
console-keys-open = Open the row
console-keys-pick = Pick the row
console-keys-edit = Edit the record
console-keys-filter = Filters of the list
console-keys-list = This list
console-theme = Appearance
console-theme-auto = As the device
console-theme-light = Light
console-theme-dark = Dark
console-organisation = Organisation
console-organisation-all = { $name } and all below
console-organisation-more = All organisations …

console-find = Search everything
console-find-placeholder = Search, or @customers asha, or #1001
console-find-title = Search
console-find-results = Results for “{ $query }”
console-find-nothing = Nothing has “{ $query }”. Words are found by their beginnings; @customers looks at customers only, #1001 goes to a number.
console-find-start = Type what you look for: a name, an address, a login. @customers asha looks at customers only; #1001 or an id goes straight there.
console-find-all = All { $many } with “{ $query }”
console-find-enter = Enter shows all results

console-list-new = New { $one }
console-list-empty = There are no { $many } yet.
console-list-nothing = Nothing fits this search and these filters.
console-list-clear = Clear search and filters
console-list-search = Search in { $many }
console-list-filters = Filters
console-list-filter-apply = Apply
console-list-filter-remove = Remove the filter { $filter }
console-list-filters-wrong = Some filters cannot be used and were left out:
console-list-from = { $label }, from
console-list-to = { $label }, to
console-list-contains = { $label } contains
console-list-any = Any
console-list-deleted = Deleted records
console-list-deleted-show = Show deleted
console-list-deleted-hide = Back to live records
console-list-columns = Columns
console-list-columns-title = Columns of { $many }
console-list-columns-save = Save columns
console-list-columns-reset = Back to the usual ones
console-list-column-up = Move { $column } up
console-list-column-down = Move { $column } down
console-list-export = Export
console-list-export-csv = CSV, commas
console-list-export-csv-semicolon = CSV, semicolons
console-list-export-xlsx = Excel (XLSX)
console-list-export-pdf = PDF
console-list-export-background = CSV, in the background
console-export-ready = The file is ready, with { $rows } rows.
console-export-until = It is kept until { $until }.
console-export-fetch = Fetch the file
console-export-broken = The file could not be made. The log of its job says why.
console-export-purged = The file is not kept any more. Export the list again.
console-export-making = The file is being made.
console-export-making-hint = This page shows when it is ready. You may leave it: you are told by mail where mail is set up, and the list of exports has the file.
console-mail-retry = Send it again
console-mail-test = Send me a test letter
console-mail-queued = The letter waits to be sent.
console-mail-server = Mail servers and what was sent
console-staff-link-mailed = It was sent to them by mail as well.
console-list-export-json = JSON
console-list-import = Import
console-list-size = Rows
console-list-size-set = Set
console-list-range = { $from }–{ $to } of { $total }
console-list-range-more = { $from }–{ $to } of more than { $total }
console-list-before = Previous
console-list-next = Next
console-list-pick = Pick { $title }
console-list-pick-all = Pick all rows of this page
console-list-picked = picked
console-list-pick-matching = All { $total } that fit
console-list-sort = Sort by { $label }
console-bulk-action = With these
console-bulk-go = Go
console-bulk-delete = Delete
console-bulk-set = Set { $field } to { $value }
console-bulk-title = { $action }: { $count } records
console-bulk-none = No row was picked. Pick rows in the list, then choose what to do with them.
console-bulk-many = More than { $limit } records fit. Narrow the list with a filter.
console-bulk-confirm = This changes { $count } records:
console-bulk-and-more = and { $count } more
console-bulk-yes = Yes, do it
console-bulk-part = { $count } records changed, { $failed } not:
console-record-edit = Edit
console-record-delete = Delete
console-record-delete-confirm = Delete “{ $title }”? It can be restored.
console-record-restore = Restore
console-record-more = More
console-record-undo = Undo
console-record-details = Details
console-record-activity = Activity
console-record-audit = Audit
console-record-tabs = Parts of this record
console-record-custom = More fields
console-record-about = About this record
console-record-id = Id
console-record-version = Version
console-record-no-related = There are no { $many } here.
console-record-all-related = All { $many } as a list
console-edit-title = Edit { $title }
console-edit-save = Save
console-edit-create = Create { $one }
console-edit-secret-keep = Leave it empty to keep the present one.
console-edit-lines = One entry per line.
console-edit-lookup = Type a name, a number or an id.
console-edit-lookup-none = nothing is found by “{ $text }”
console-edit-lookup-many = several are found by “{ $text }”: choose one
console-edit-time-hint = In { $zone }.
console-edit-amount-wrong = is not an amount such as { $example }
console-edit-rate-wrong = is not a rate such as 50 or 0.512
console-edit-span-wrong = is not a whole number
console-edit-time-wrong = is not a time such as 2026-03-01T09:30
console-edit-json-wrong = does not read as JSON
console-edit-yes = Yes
console-edit-currency = Currency
console-edit-unit = Unit
console-unit-mbit = Mbit/s
console-unit-seconds = seconds
console-unit-minutes = minutes
console-unit-hours = hours
console-unit-days = days
console-conflict-title = Somebody else changed this meanwhile
console-conflict-text-unknown = Changes were saved after you opened the form. Nothing of yours is lost: choose field by field, then save.
console-conflict-mine = Take mine
console-conflict-theirs = Take theirs
console-conflict-before = Before
console-conflict-also = Changed by them, not by you
console-conflict-yours = Changed by you alone
console-conflict-save = Save what is chosen
console-conflict-leave = Drop mine
console-done-created = { $one } created.
console-done-updated = { $one } saved.
console-done-deleted = { $one } deleted.
console-done-restored = { $one } restored.
console-done-unchanged = Nothing was changed.
console-done-bulk = { $count } records changed.
console-more = +{ $n }

console-audit-title = Audit log
console-audit-empty = Nothing was changed in this time, or nothing that fits the filters.
console-audit-at = Time
console-audit-who = Who
console-audit-what = What
console-audit-record = Record
console-audit-organisation = Organisation
console-audit-request = Request
console-audit-action = Action
console-audit-entity = Kind of record
console-audit-category = Category
console-audit-category-authentication = Access
console-audit-category-financial = Money
console-audit-category-network = Network
console-audit-category-system = System
console-audit-category-records = Records
console-audit-from = From
console-audit-to = To
console-audit-critical = critical
console-audit-field = Field
console-audit-before = Before
console-audit-after = After
console-audit-no-change = No field differs.
console-audit-did = { $entity } { $action }
console-activity-title = Activity
console-staff-link = Link to set a password
console-staff-link-text = Whoever opens this link sets the password of the account. Send it to nobody else. It is good once, until { $until }, and is not shown again.
console-staff-link-back = Back
console-job-run = Run now
console-job-started = The job was started.
console-run-cancel = Cancel
console-run-cancelled = The run is being cancelled.
console-run-retry = Run again
console-run-log = Log
console-run-no-log = Nothing was written yet.
console-run-progress = { $done } of { $total }

# What the office keeps. entity-NAME is one record, entity-NAME-many several, entity-NAME-none what
# to do where there is none; field-ENTITY-FIELD or field-FIELD is a label, hint-… a sentence below
# it, choice-… a word one chooses, action-… what the audit log says was done.

action-created = created
action-updated = changed
action-deleted = deleted
action-restored = restored
action-plan-changed = plan changed
action-secret-changed = secret changed
action-signed-in = signed in
action-signed-out = signed out
action-seen = first seen

entity-customer = Customer
entity-customer-many = Customers
entity-customer-none = There are no customers yet. Add the first one, or import them from a file.
entity-service = Service
entity-service-many = Services
entity-service-none = There are no services yet. A service puts one customer on one plan.
entity-plan = Plan
entity-plan-many = Plans
entity-plan-none = There are no plans yet. A plan is what you sell: a speed and a price.
entity-nas = NAS
entity-nas-many = NAS
entity-nas-none = There is no NAS yet. Register the routers that ask for logins.
entity-label = Label
entity-label-many = Labels
entity-label-none = There are no labels yet. Labels mark customers, services and devices.
entity-customer_label = Label of a customer
entity-customer_label-many = Labels
entity-custom_field = Custom field
entity-custom_field-many = Custom fields
entity-custom_field-none = There are no custom fields yet. Add what your records lack.

field-name = Name
field-number = Number
field-email = E-mail
field-phone = Phone
field-status = Status
field-locale = Language
field-description = Description
field-colour = Colour
field-kind = Kind
field-login = Login
field-password = Password
field-customer_id = Customer
field-plan_id = Plan
field-label_id = Label
field-ipv4 = IPv4 address
field-expires_at = Expires
field-zone = Time zone
field-service-address = Installation address
field-pinned_version_id = Pinned version
field-identities = Identities
field-holds = Holds
field-price = Price
field-period = Billing period
field-download_bps = Download
field-upload_bps = Upload
field-interim_s = Interim updates
field-session_timeout_s = Session timeout
field-idle_timeout_s = Idle timeout
field-pool = Address pool
field-on_expired = When expired
field-garden = Walled garden
field-current_version_id = Current version
field-address = Address
field-secret = RADIUS secret
field-vendor = Vendor
field-accepts_coa = Accepts CoA
field-coa_address = CoA address
field-coa_port = CoA port
field-coa_secret = CoA secret
field-seen_at = First seen
field-custom_field-entity = Records
field-custom_field-kind = Holds
field-key = Key
field-label = Label
field-choices = Choices
field-required = Required
field-external_source = External system
field-external_id = External id
field-created_at = Created
field-updated_at = Changed

hint-customer-locale = A language tag such as en or pt-BR.
hint-service-login = What the subscriber's router sends as its user name.
hint-service-ipv4 = Empty: an address from the plan's pool.
hint-service-expires_at = Empty: it does not expire.
hint-service-address = Where it is installed, as a JSON object.
hint-plan-download_bps = Empty: unlimited.
hint-plan-upload_bps = Empty: unlimited.
hint-plan-garden = What is reachable from the walled garden, as a JSON object.
hint-nas-address = The address its RADIUS packets come from.
hint-nas-coa_address = Empty: the same as its address.
hint-nas-coa_secret = Empty: the same as the RADIUS secret.
hint-label-colour = Such as #1c7ed6.
hint-custom_field-key = Lower-case letters, digits and _: its name in the API.
hint-custom_field-choices = One per line; only for a choice.

choice-active = Active
choice-inactive = Inactive
choice-held = On hold
choice-retired = Retired
choice-month = Month
choice-quarter = Quarter
choice-half-year = Half year
choice-year = Year
choice-reject = Refuse the login
choice-garden = Walled garden
choice-mikrotik = MikroTik
choice-generic = Generic
choice-customer = Customers
choice-service = Services
choice-device = Devices
choice-plan = Plans
choice-nas = NAS
choice-text = Text
choice-integer = Whole number
choice-flag = Yes or no
choice-date = Date
choice-choice = One of some words

entity-job = Job
entity-job-many = Jobs
entity-job_run = Run
entity-job_run-many = Runs
entity-job_run-none = Nothing has run yet. Runs come from jobs, imports and exports.
entity-maintenance_window = Maintenance window
entity-maintenance_window-many = Maintenance windows
entity-maintenance_window-none = There are no maintenance windows yet. In a window, jobs wait for its end.
field-schedule = Schedule
field-enabled = Enabled
field-next_at = Next run
field-last_run_id = Last run
field-last_state = Last result
field-queue = Queue
field-arguments = Arguments
field-catch_up = Missed times
field-retries = Retries
field-maintenance = In maintenance
field-job_id = Job
field-state = State
field-attempt = Attempt
field-attempts_max = Attempts at most
field-planned_at = Planned for
field-run_at = Begins
field-started_at = Started
field-heartbeat_at = Last sign of life
field-finished_at = Finished
field-progress_done = Done
field-progress_total = Of
field-note = Note
field-result = Result
field-error = Error
field-retry_of = Retry of
field-cancel_requested = Cancellation asked
field-created_by = Started by
field-starts_at = From
field-ends_at = To
hint-job-schedule = Five fields of cron: minute, hour, day, month, weekday. Empty: by hand only.
hint-job-zone = Empty: the organisation's.
hint-job-arguments = A JSON object.
choice-queued = Queued
choice-running = Running
choice-succeeded = Succeeded
choice-partial = In part
choice-failed = Failed
choice-cancelled = Cancelled
choice-once = Run once
choice-all = Run each
choice-skip = Skip
choice-queue-all = All queues
choice-wait = Wait for the end
choice-ignore = Run anyway
choice-inside = Only inside a window
choice-default = Default
choice-transfer = Imports and exports
choice-upkeep = Upkeep

entity-webhook = Webhook
entity-webhook-many = Webhooks
entity-webhook-none = There are no webhooks yet. A webhook tells another program what happens here.
field-url = Address (URL)
field-events = Events
field-template = Format
field-method = Method
field-auth = Authentication
field-auth_user = User name
field-auth_secret = Password or token
field-webhook-secret = Signing secret
field-backoff = Waiting between attempts
field-triggered_at = Last delivery
field-success_percent = Success, %
field-disabled_reason = Switched off because
field-failing_since = Failing since
field-throttled_until = Throttled until
field-previous_until = Previous secret until
hint-webhook-secret = Empty: one is made up.
choice-gone = The receiver is gone
choice-failing = It kept failing
choice-custom = Our own
choice-n8n = n8n
choice-zapier = Zapier
choice-make = Make
choice-POST = POST
choice-PUT = PUT
choice-none = None
choice-bearer = Bearer token
choice-basic = User name and password
choice-standard = Standard
choice-fast = Fast

console-nas-address = Address
console-nas-address-hint = The IP address its RADIUS packets come from
console-nas-coa-port = CoA port
console-nas-coa-port-hint = Where changes to live sessions are sent
console-nas-name = Name
console-nas-name-hint = What staff call it, such as bng-north
console-nas-secret = Shared secret
console-nas-secret-hint = The same as on the router; 16 characters or more are advised
console-nas-vendor = Vendor
console-nas-vendor-generic = Other (standard attributes)
console-nas-vendor-mikrotik = MikroTik RouterOS
console-plan-download = Download, Mbit/s
console-plan-name = Name
console-plan-name-hint = As customers read it on the bill
console-plan-period = Charged each
console-plan-price = Price
console-plan-price-hint = In { $currency }, such as { $example }
console-plan-price-wrong = is not an amount that can be charged
console-plan-rate-hint = Empty: unlimited
console-plan-rate-wrong = is not a rate that can be sold; write Mbit/s, such as 50 or 0.5
console-plan-upload = Upload, Mbit/s

entity-export = Export
entity-export-many = Exports
entity-export-none = Nothing was exported yet. Every list has an export; what left is written down here.
entity-export_template = Export template
entity-export_template-many = Export templates
entity-import = Import
entity-import-many = Imports
entity-import-none = Nothing was imported yet. Begin at the list of what the file holds.
entity-role = Role
entity-role-many = Roles
entity-staff = Member of staff
entity-staff-many = Staff
entity-token = API token
entity-token-many = API tokens
field-entity = Records
field-format = Format
field-query = Filters
field-columns = Columns
field-personal = Personal fields
field-row_count = Rows
field-octets = Octets
field-reading = Reading
field-mapping = Mapping
field-options = Options
field-problem = Problem
field-created_count = Created
field-updated_count = Updated
field-skipped_count = Skipped
field-failed_count = Failed
field-undone_count = Taken back
field-purge_at = Forgotten at
field-permissions = Permissions
field-second_factor = Needs a second factor
field-role_id = Role
field-allow_list = Addresses allowed
field-must_change_password = Must change the password
field-totp_confirmed_at = Second factor since
field-password_changed_at = Password changed
field-scopes = Scopes
field-used_at = Last used
field-staff_id = Made by
choice-finished = Finished
choice-broken = Broken off
choice-ready = Ready
choice-checking = Being tried
choice-checked = Tried
choice-undoing = Being taken back
choice-undone = Taken back
choice-disabled = Disabled

entity-mail = Letter
entity-mail-many = Mail
entity-mail-none = No mail was sent yet. Letters wait here until a mail server has taken them.
field-mail-subject = Subject
field-recipient = To
field-mail-kind = About
field-mail-attempts = Attempts
field-next_at = Next attempt
field-code = Answer code
field-answer = Answer
field-server = Mail server
field-settled_at = Ended
choice-mail-kind-password-link = Password link
choice-mail-kind-import-finished = Import finished
choice-mail-kind-export-ready = Export
choice-mail-kind-export-scheduled = Scheduled export
choice-mail-kind-job-failed = Failed job
choice-mail-kind-test = Test
choice-mail-state-waiting = Waiting
choice-mail-state-sent = Sent
choice-mail-state-failed = Failed
entity-mail_server = Mail server
entity-mail_server-many = Mail servers
entity-mail_server-none = No mail server is set here. The one of the organisation above sends, if it has one.
field-host = Server
hint-mail_server-host = Its name or address. Letters of organisations below go through it too, unless they have their own.
field-port = Port
hint-mail_server-port = 587 for STARTTLS, 465 for TLS from the start.
field-tls = Encryption
choice-tls-starttls = STARTTLS
choice-tls-tls = TLS from the start
choice-tls-none = None
field-username = User name
field-mail_server-password = Password
field-from_address = Sender's address
field-from_name = Sender's name
field-file_name = File
field-octets = Size in octets
field-purge_at = Kept until
choice-purged = Deleted
entity-scheduled_export = Scheduled export
entity-scheduled_export-many = Scheduled exports
entity-scheduled_export-none = Nothing goes out by schedule yet. Keep an export as a template, then say when and where it goes.
field-template_id = Template
hint-scheduled_export-schedule = Minute, hour, day of month, month, day of week: 0 6 * * 1 is Mondays at six.
field-delivery = Goes by
choice-delivery-mail = Mail
choice-delivery-sftp = SFTP
field-recipients = Recipients
hint-recipients = For mail: one address in each line.
hint-scheduled_export-host = For SFTP.
field-private_key = Private key
hint-private_key = OpenSSH's or PEM form, without a passphrase. Or give a password.
field-host_key = Host key
hint-host_key = What ssh-keyscan prints, checked with whoever runs the server: ssh-ed25519 AAAA… No other is ever taken.
field-directory = Directory
field-job_id = Job

paper-made = { $organisation } · { $time } ({ $zone })
paper-filter = { $field } { $op ->
    [ne] is not { $value }
    [lt] below { $value }
    [lte] up to { $value }
    [gt] above { $value }
    [gte] from { $value }
    [in] is one of { $value }
    [contains] contains { $value }
    [null] is empty: { $value }
   *[other] is { $value }
}
paper-search = Search: { $value }
paper-page = Page [page] of [pages]
paper-yes = yes
paper-no = no

# Letters. Lines are short, so that they read well in any mail program.

mail-link-none = sign in to the console and open { $path }
mail-password-link-subject = Set your password
mail-password-link-text =
    Hello { $name },

    somebody who looks after staff made this link for you. With it you
    set the password you sign in with:

    { $link }

    It works once, until { $until }. If you did not expect
    this letter, tell whoever looks after your system, and do not open it.
mail-import-finished-subject = Import finished: { $file }
mail-import-finished-text =
    Hello { $name },

    the import of { $file } has come to its end.

    Created: { $created }
    Updated: { $updated }
    Skipped: { $skipped }
    Failed:  { $failed }

    What became of each row: { $link }
mail-export-ready-subject = Your file is ready: { $file }
mail-export-ready-text =
    Hello { $name },

    { $file } is ready, with { $rows } rows. Fetch it here,
    signed in:

    { $link }

    It is kept until { $until }.
mail-export-attached-text =
    Hello { $name },

    { $file } is attached, with { $rows } rows.
mail-export-failed-subject = Your file could not be made: { $file }
mail-export-failed-text =
    Hello { $name },

    { $file } could not be made: { $why }
mail-job-failed-subject = A job failed: { $job }
mail-job-failed-text =
    The job { $job } of { $name } failed:

    { $error }

    Its log: { $link }
mail-test-subject = Mail works
mail-test-text =
    Hello { $name },

    this letter was sent by { $host }, to see whether mail arrives. It does.
