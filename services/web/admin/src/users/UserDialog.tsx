import { PasswordInput, Select, SimpleGrid, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import {
  api,
  LimitsFields,
  limitsOf,
  limitsText,
  path,
  useSession,
  type User,
  useEdited,
} from '@llm-platform/shared';
import { FieldGroup } from '../forms/FieldGroup';
import { FormDialog } from '../forms/FormDialog';
import { named, validLimits } from '../forms/validate';
import { SubjectSelect } from '../names/SubjectSelect';
import { changed } from '../query/changed';
import { KINDS, ROLES } from './words';

interface UserDialogProps {
  /** Unset: a new one. */
  user?: User;
  onClose: () => void;
}

const SHORTEST_PASSWORD = 12;

export function UserDialog({ user, onClose }: UserDialogProps) {
  const session = useSession();
  const valuesOf = (it?: User) => ({
    name: it?.name ?? '',
    role: it?.role ?? 'developer',
    kind: it?.kind ?? 'user',
    organization: it?.organization_id ?? session.organization_id,
    password: '',
    limits: limitsText(it?.limits),
  });
  const form = useForm({
    initialValues: valuesOf(user),
    validate: {
      name: named,
      limits: validLimits,
      password: value =>
        value && value.length < SHORTEST_PASSWORD ? `Use at least ${SHORTEST_PASSWORD} characters.` : null,
    },
  });
  const url = path`/api/users/${user?.user_id ?? ''}`;
  const { base, reload } = useEdited(user, form, () => api.get<User>(url), valuesOf);
  const save = async (values: ReturnType<typeof valuesOf>) => {
    const { name, role, kind, organization, password, limits } = values;
    const body = { name: name.trim(), role, limits: limitsOf(limits) };
    await (base
      ? api.patch(url, base.etag, body)
      : api.post('/api/users', { ...body, kind, organization, ...(kind === 'user' && { password }) }));
    await changed('/api/users');
  };
  return (
    <FormDialog
      title={base ? `Edit ${base.name}` : 'New user'}
      action={base ? 'Save' : 'Create user'}
      form={form}
      save={save}
      onClose={onClose}
      reload={reload}
    >
      <SimpleGrid cols={{ base: 1, xs: 2 }}>
        <TextInput
          label="Name"
          data-autofocus
          maxLength={100}
          autoComplete="off"
          {...form.getInputProps('name')}
        />
        <Select label="Role" data={ROLES} allowDeselect={false} {...form.getInputProps('role')} />
        {!base && (
          <Select
            label="Kind"
            data={KINDS}
            allowDeselect={false}
            description="A service account has keys and cannot sign in"
            inputWrapperOrder={['label', 'input', 'description', 'error']}
            {...form.getInputProps('kind')}
          />
        )}
        {!base && session.platform && (
          <SubjectSelect
            kind="organization"
            label="Organisation"
            clearable={false}
            {...form.getInputProps('organization')}
          />
        )}
      </SimpleGrid>
      {!base && form.values.kind === 'user' && (
        <PasswordInput
          label="Password"
          description="Empty: signs in with single sign-on only, or when you reset the password."
          autoComplete="new-password"
          {...form.getInputProps('password')}
        />
      )}
      <FieldGroup legend="Limits of all its keys together">
        <LimitsFields field={name => form.getInputProps(`limits.${name}`)} />
      </FieldGroup>
    </FormDialog>
  );
}
