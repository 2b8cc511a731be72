# Every sentence a subscriber, a customer or the office reads, in English.
# Keys are grouped by where they appear: reject-* goes into Reply-Message.

reject-credentials = Wrong user name or password.
reject-setup = This connection is not set up correctly. Please contact support.
reject-expired = Your service has expired. Please renew it.
reject-nonpayment = Your service is on hold until the open bill is paid.
reject-suspended = Your service is suspended. Please contact support.
reject-paused = Your service is paused.
reject-quota = Your data allowance is used up.
