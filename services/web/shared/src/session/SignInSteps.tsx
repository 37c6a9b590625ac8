import { Button, Divider, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import type { Session } from '../api/types';
import { NewPasswordForm } from './NewPasswordForm';
import { PasswordForm } from './PasswordForm';
import { useInfo } from './session';

interface SignInStepsProps {
  name?: string;
  onOidc: () => void;
  onSession: (session: Session) => void;
}

/** Password or provider, then a new password where the one that was given is good for one login only. */
export function SignInSteps({ name, onOidc, onSession }: SignInStepsProps) {
  const info = useInfo();
  const [unfinished, setUnfinished] = useState<{ csrfToken: string; password: string } | null>(null);
  if (unfinished)
    return (
      <Stack>
        <Text c="dimmed">This password was good for one sign-in. Choose your own to go on.</Text>
        <NewPasswordForm
          csrfToken={unfinished.csrfToken}
          oldPassword={unfinished.password}
          onSession={onSession}
        />
      </Stack>
    );
  const onPassword = (session: Session, password: string) => {
    if (session.must_change_password) setUnfinished({ csrfToken: session.csrf_token, password });
    else onSession(session);
  };
  return (
    <Stack gap="lg">
      <PasswordForm {...(name ? { name } : {})} onSession={onPassword} />
      {info.data?.oidc && (
        <>
          <Divider label="or" />
          <Button variant="default" size="md" fullWidth onClick={onOidc}>
            Continue with single sign-on
          </Button>
        </>
      )}
    </Stack>
  );
}
