import { Button, PasswordInput, Stack } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation } from '@tanstack/react-query';
import type { Session } from '../api/types';
import { Notice } from '../feedback/Notice';
import { changePassword } from './session';

const SHORTEST = 12;

interface NewPasswordFormProps {
  csrfToken: string;
  /** Known when it was typed a moment ago. */
  oldPassword?: string;
  onSession: (session: Session) => void;
}

export function NewPasswordForm({ csrfToken, oldPassword, onSession }: NewPasswordFormProps) {
  const form = useForm({
    mode: 'uncontrolled',
    initialValues: { old: oldPassword ?? '', fresh: '', again: '' },
    validate: {
      fresh: value => (value.length < SHORTEST ? `Use at least ${SHORTEST} characters.` : null),
      again: (value, values) => (value === values.fresh ? null : 'The two passwords differ.'),
    },
  });
  const change = useMutation({
    mutationFn: (values: { old: string; fresh: string }) =>
      changePassword(csrfToken, values.old, values.fresh),
    onSuccess: session => {
      form.reset();
      onSession(session);
    },
    meta: { shown: true },
  });
  return (
    <form onSubmit={form.onSubmit(values => change.mutate(values))}>
      <Stack gap="md">
        {change.error && <Notice kind="error">{change.error.message}</Notice>}
        {!oldPassword && (
          <PasswordInput
            label="Current password"
            autoComplete="current-password"
            required
            withAsterisk={false}
            key={form.key('old')}
            {...form.getInputProps('old')}
          />
        )}
        <PasswordInput
          label="New password"
          description={`At least ${SHORTEST} characters. A few unrelated words are easy to keep in mind.`}
          autoComplete="new-password"
          required
          withAsterisk={false}
          key={form.key('fresh')}
          {...form.getInputProps('fresh')}
        />
        <PasswordInput
          label="New password, again"
          autoComplete="new-password"
          required
          withAsterisk={false}
          key={form.key('again')}
          {...form.getInputProps('again')}
        />
        <Button type="submit" loading={change.isPending}>
          Change password
        </Button>
      </Stack>
    </form>
  );
}
