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
console-title = { $page } · Lastmile
console-skip = Skip to the content
console-navigation = Main
console-nav-overview = Overview
console-nav-customers = Customers
console-nav-services = Services
console-nav-plans = Plans
console-nav-nas = NAS
console-nav-sessions = Sessions
console-sign-out = Sign out
console-footer = Times are in UTC.
console-updated = As of { $time } UTC
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

console-done-customer-created = The customer is created. Next, add a service.
console-done-service-created = The service is created. It can log in now.
console-done-plan-created = The plan is created. It can be sold now.
console-done-nas-created = The NAS is registered. Its packets are answered now.
console-done-suspended = The service is suspended. A live session is being ended.
console-done-activated = The suspension by staff is lifted.
console-done-plan-changed = The plan is changed. A live session is being moved to the new speed.
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

console-customers-title = Customers
console-customers-new = New customer
console-customers-search = Search by name or e-mail
console-customers-empty = There are no customers yet. Create the first one, then give it a service.
console-customers-not-found = No customer has “{ $query }” in the name or the e-mail address.
console-customers-show-all = Show all customers
console-customer-number = Number
console-customer-numbered = Customer { $number }
console-customer-name = Name
console-customer-email = E-mail
console-customer-phone = Phone
console-customer-since = Since
console-customer-status = Status
console-customer-active = Active
console-customer-create = Create customer
console-customer-services = Services
console-customer-no-services = This customer has no service yet. Add one below: a plan, a login and a password.
console-customer-sessions = Sessions
console-customer-no-sessions = No session yet. It appears here when one of the logins above connects.

console-services-title = Services
console-services-empty = There are no services yet. A service is added on the page of its customer.
console-services-go = Go to the customers
console-service-login = Login
console-service-no-login = no login
console-service-customer = Customer
console-service-plan = Plan
console-service-status = Status
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
console-service-add-no-plans = A service needs a plan, and there is none yet.
console-service-login-hint = The name the router of the subscriber logs in with
console-service-password = Password
console-service-password-hint = For PPPoE or hotspot; it is kept sealed
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

console-plans-title = Plans
console-plans-new = New plan
console-plans-empty = There are no plans yet. A plan says what you sell: a price and a speed.
console-plan-name = Name
console-plan-speed = Download / upload
console-plan-price = Price
console-plan-since = Since
console-plan-name-hint = As customers read it on the bill
console-plan-price-hint = In { $currency }, such as { $example }
console-plan-price-wrong = is not an amount that can be charged
console-plan-period = Charged each
console-plan-download = Download, Mbit/s
console-plan-upload = Upload, Mbit/s
console-plan-rate-hint = Empty: unlimited
console-plan-rate-wrong = is not a rate that can be sold; write Mbit/s, such as 50 or 0.5
console-plan-create = Create plan

console-nas-title = NAS
console-nas-new = Register NAS
console-nas-empty = No NAS is registered yet. Register the router your subscribers connect to, with the secret both sides share.
console-nas-name = Name
console-nas-name-hint = What staff call it, such as bng-north
console-nas-address = Address
console-nas-address-hint = The IP address its RADIUS packets come from
console-nas-secret = Shared secret
console-nas-secret-hint = The same as on the router; 16 characters or more are advised
console-nas-vendor = Vendor
console-nas-vendor-mikrotik = MikroTik RouterOS
console-nas-vendor-generic = Other (standard attributes)
console-nas-coa = CoA
console-nas-coa-port = CoA port
console-nas-coa-port-hint = Where changes to live sessions are sent
console-nas-coa-on = port { $port }
console-nas-coa-off = not accepted
console-nas-origin = Known since
console-nas-registered = registered
console-nas-seen = by its packets
console-nas-create = Register NAS

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
