"""Signing in, tokens, members."""

from django.contrib.auth import views as auth
from django.urls import path

from studio.workspace import views
from studio.workspace.forms import SignInForm

urlpatterns = [
    path(
        "sign-in",
        auth.LoginView.as_view(
            template_name="workspace/sign_in.html", authentication_form=SignInForm, redirect_authenticated_user=True
        ),
        name="sign-in",
    ),
    path("sign-out", auth.LogoutView.as_view(), name="sign-out"),
    path("account/tokens", views.tokens, name="tokens"),
    path("account/tokens/<int:token_id>/revoke", views.revoke_token, name="revoke-token"),
    path(
        "account/password",
        auth.PasswordChangeView.as_view(template_name="workspace/password.html", success_url="/account/tokens"),
        name="password",
    ),
    path("workspaces/new", views.new_workspace, name="new-workspace"),
    path("w/<str:ws>/settings", views.workspace_settings, name="workspace-settings"),
    path("w/<str:ws>/members", views.add_member, name="add-member"),
    path("w/<str:ws>/members/<int:member_id>", views.change_member, name="change-member"),
]
