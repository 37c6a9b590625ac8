/** What the RPCs of the log do, in words: "made a key". What is not here is called by its name. */
const WORDS: Record<string, string> = {
  'Accounts/AddTeamMember': 'added a team member',
  'Accounts/Authenticate': 'used a key',
  'Accounts/Bootstrap': 'made the first administrator',
  'Accounts/CreateKey': 'made a key',
  'Accounts/CreateOrganization': 'made an organisation',
  'Accounts/CreateTeam': 'made a team',
  'Accounts/CreateUser': 'made a user',
  'Accounts/DeleteOrganization': 'deleted an organisation',
  'Accounts/DeleteTeam': 'deleted a team',
  'Accounts/DeleteUser': 'deleted a user',
  'Accounts/RemoveTeamMember': 'removed a team member',
  'Accounts/RevokeKey': 'revoked a key',
  'Accounts/RotateKey': 'rotated a key',
  'Accounts/UpdateKey': 'changed a key',
  'Accounts/UpdateOrganization': 'changed an organisation',
  'Accounts/UpdateTeam': 'changed a team',
  'Accounts/UpdateUser': 'changed a user',
  'Ledger/DeleteBudget': 'deleted a budget',
  'Ledger/PutBudget': 'set a budget',
  'Ledger/ReadBack': 'read back the ledger',
  'Ledger/Resolve': 'corrected calls of providers',
  'Ledger/RetryNotification': 'sent a notification again',
  'Ledger/SetBudget': 'set a budget',
  'Providers/Reload': 'had the providers read again',
  'Providers/Test': 'tested a provider',
  'Routing/ImportRules': 'took the routing rules of the file',
  'Routing/PutRules': 'changed the routing rules',
  'Routing/RestoreRevision': 'restored routing rules',
  'Secrets/Delete': 'deleted a secret',
  'Secrets/Describe': 'described a secret',
  'Secrets/Disable': 'disabled a secret version',
  'Secrets/Enable': 'enabled a secret version',
  'Secrets/Get': 'read a secret',
  'Secrets/Put': 'set a secret',
  'Secrets/Rotate': 'rotated a secret',
  'Secrets/RotateStoreKey': "rotated the secret store's key",
  'Secrets/Seal': 'sealed the secret store',
  'Secrets/Unseal': 'unsealed the secret store',
  'Sessions/ChangePassword': 'changed the own password',
  'Sessions/End': 'ended sessions',
  'Sessions/FinishOidc': 'signed in with single sign-on',
  'Sessions/Login': 'signed in',
  'Sessions/Logout': 'signed out',
  'Sessions/ReplaceSigningKey': 'replaced the signing key',
  'Sessions/ResetPassword': 'reset a password',
};

export const actionWords = (action: string): string => WORDS[action] ?? action;

/** To choose from: all of a service, then each of its actions. */
export const ACTIONS = [...new Set(Object.keys(WORDS).map(action => action.split('/')[0]!))].map(service => ({
  group: service,
  items: [
    { value: `${service}/`, label: `Everything of ${service.toLowerCase()}` },
    ...Object.entries(WORDS)
      .filter(([action]) => action.startsWith(`${service}/`))
      .map(([value, label]) => ({ value, label })),
  ],
}));

export const RESULTS = [
  { value: 'ok', label: 'Done' },
  { value: 'refused', label: 'Refused' },
  { value: 'failed', label: 'Failed' },
];
